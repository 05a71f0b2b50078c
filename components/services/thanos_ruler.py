"""Thanos' ruler: evaluates rules over all that is kept, every replica and the bucket, in place of Prometheus.

For rules that look further back than Prometheus' own disk. It stores what it records and uploads it, as a Prometheus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from components.config import StackConfig
from components.context import Context
from components.promql import narrowed
from components.replicas import as_replica, replica_name
from components.rules import RuleGroups, rule_files
from components.services import prometheus
from components.services.federation import own_series_only
from components.services.thanos_component import HTTP, component
from components.services.thanos_files import CURRENT, bucket_args, bucket_calls, bucket_file, bucket_of
from components.spec import Call, File, Reload, Service, Volume
from components.yaml_text import dump

NAME, DATA = "thanos-rule", "/var/thanos/rule"
_ASKED = "thanos-query"
_ALERTMANAGER = "alertmanager"


def thanos_rulers(context: Context) -> tuple[Service, ...]:
    """One for each Prometheus, as these rules would be evaluated by each of them; `ruling` gives them the rules."""
    if not context.config.storage.ruler:
        return ()
    return tuple(as_replica(_ruler(context, number), number) for number in context.replicas(prometheus.NAME))


def ruling(context: Context, services: Sequence[Service], groups: RuleGroups) -> list[Service]:
    """The same services, rulers among them with their rules; Alertmanagers among them are told.

    `groups` are all rules of the stack.
    """
    files = rule_files(context, _own(context.config, groups), [service.group for service in services])
    return [
        replace(service, files=(*service.files, *files)) if service.group == NAME else service for service in services
    ]


def _own(config: StackConfig, groups: RuleGroups) -> RuleGroups:
    """Rules for the querier, who knows more than this stack's own series: those of regions and of other servers."""
    ruled: tuple[str, ...] = config.storage.ruler
    chosen = {subject: found for subject, found in groups.items() if subject in ruled}
    matcher = f'environment="{config.environment}"'
    return {
        subject: [_group(group, matcher) for group in found]
        for subject, found in own_series_only(config, chosen).items()
    }


def _group(group: dict[str, Any], matcher: str) -> dict[str, Any]:
    # While one store is away: rather from what the others have than not at all. ThanosRuleIncomplete tells.
    rules = [rule | {"expr": narrowed(rule["expr"], matcher)} for rule in group["rules"]]
    return group | {"partial_response_strategy": "warn", "rules": rules}


def _ruler(context: Context, number: int) -> Service:
    config, access = context.config, context.access
    service = component(context, NAME, memory=512, cpus=0.5)
    alertmanagers = [replica_name(_ALERTMANAGER, each) for each in context.replicas(_ALERTMANAGER)]
    scheme = access.scheme
    asked = [{"static_configs": [f"{_ASKED}:{HTTP}"], "scheme": scheme, **_client(context, "")}]
    told = {
        "scheme": scheme,
        "static_configs": [f"{name}:9093" for name in alertmanagers],
        "api_version": "v2",
        **_client(context, _ALERTMANAGER if len(alertmanagers) > 1 else ""),
    }
    labels = {"environment": config.environment, prometheus.REPLICA: f"ruler-{number}"}
    return replace(
        service,
        files=(
            *service.files,
            bucket_file(bucket_of(context)),
            File("query.yml", dump(asked), live=False),
            File("alertmanagers.yml", dump({"alertmanagers": [told]}), live=False),
            *(file for file in access.client_files(CURRENT) if file.path.startswith("secrets/")),
        ),
        volumes=(Volume(f"{NAME}-data", DATA),),
        calls=(
            Call(_ASKED, HTTP),
            *(Call(name, 9093) for name in alertmanagers),
            *bucket_calls(bucket_of(context)),
        ),
        # It says the first before it tries; what it refuses follows at once.
        reload=Reload("SIGHUP", loaded="reload rule files", rejected="reload rules by sighup failed"),
        args=(
            "rule",
            *service.args,
            f"--data-dir={DATA}",
            f"--rule-file={CURRENT}/rules/*.yaml",
            f"--eval-interval={config.scrape.evaluation_interval or config.scrape.interval}",
            f"--tsdb.retention={config.retention_time}",
            f"--query.config-file={CURRENT}/query.yml",
            f"--alertmanagers.config-file={CURRENT}/alertmanagers.yml",
            f"--alert.query-url={context.external_url('thanos', HTTP)}",
            f"--alert.label-drop={prometheus.REPLICA}",
            *(f'--label={name}="{value}"' for name, value in labels.items()),
            *bucket_args(),
        ),
    )


def _client(context: Context, server_name: str) -> dict[str, Any]:
    """Thanos' own words for Prometheus' HTTP client settings."""
    client = context.access.client_config(CURRENT, server_name)
    return {"http_config": client} if client else {}
