"""Prometheus: scrapes everything that is planned, evaluates the rules, keeps the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from components.config.services import OWN_CERTIFICATE, BlackboxProbe
from components.context import Context
from components.replicas import as_replica, replica_name
from components.rules import RuleGroups, own_rule_files, rule_files
from components.services.federation import federation_calls, federation_jobs, federation_secrets, own_series_only
from components.services.kubernetes_discovery import calls, cluster_jobs, platform_api
from components.services.remote_write import remote_write
from components.services.scraping import (
    capped_timeout,
    literal,
    scrape_job,
    service_job,
    service_secrets,
    static_targets,
    target_files,
)
from components.spec import Call, File, Metrics, Probe, Reload, Resources, Service, Volume
from components.yaml_text import dump

NAME, PORT = "prometheus", 9090
USER, DATA = "65534:65534", "/prometheus"
BLOCK = "2h"
"""Length of blocks where they are uploaded. Prometheus must not merge them then: a merged block cannot be uploaded
once parts of it are, for the same samples would be in the bucket twice. Thanos' compactor merges them there."""
REPLICA = "replica"
"""External label that tells replicas apart; a querier shows series that differ in nothing else as one."""
_FOLDER = "/etc/prometheus"


def server_limits(context: Context) -> Resources:
    """What each Prometheus may take."""
    return context.resources(NAME, memory=1024, cpus=1.0)


def prometheuses(context: Context, others: Sequence[Service], groups: RuleGroups) -> tuple[Service, ...]:
    """Plan all replicas of Prometheus; each scrapes `others` and all replicas, and tells every Alertmanager.

    All of them evaluate `groups`, but for those that a ruler does.
    """
    ruled = context.config.storage.ruler
    groups = own_series_only(context.config, {name: found for name, found in groups.items() if name not in ruled})
    rules = rule_files(context, groups, [service.group for service in others] + [NAME])
    return tuple(as_replica(_prometheus(context, others, rules, number), number) for number in context.replicas(NAME))


def _prometheus(context: Context, others: Sequence[Service], rules: Sequence[File], number: int) -> Service:
    own = Metrics(NAME, PORT, protected=True)
    files = (
        File("prometheus.yml", dump(_config(context, others, own, number))),
        *rules,
        *own_rule_files(context),
        *target_files(context),
        *service_secrets(context),
        *federation_secrets(context),
        *context.access.server_files(),
        *context.access.client_files(f"{_FOLDER}/current"),
    )
    service = Service(
        name=NAME,
        product="Prometheus",
        image=context.image(NAME),
        user=USER,
        resources=server_limits(context),
        config_folder=_FOLDER,
        files=files,
        meets_services=True,
        calls=_calls(context, others, own),
        api=platform_api(context, others),
        ports=(context.port("http", PORT, "prometheus", context.access.scheme),),
        volumes=(Volume("prometheus-data", DATA),),
        stop_grace=120,
        reload=Reload("SIGHUP", loaded="Completed loading of configuration file", rejected="Error reloading config"),
        metrics=(own,),
    )
    folder, scheme = service.mounted_config, context.access.scheme
    args = (
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={DATA}",
        *_block_args(context),
        # So long, or twice, a reload that changes remote write waits for an end that is away. A deployment waits less
        # than twice the default of a minute; an end that is there takes what is in memory in a second or two. On every
        # stack: with an argument that comes and goes, Prometheus would restart when `storage` changes.
        "--storage.remote.flush-deadline=10s",
        *context.web_urls(NAME, PORT),
        "--enable-feature=exemplar-storage",
        *context.access.web_args(folder),
    )
    check = ("promtool", "check", "healthy", f"--url={scheme}://localhost:{PORT}", *context.access.client_args(folder))
    return replace(service, args=args, probe=Probe(check))


def _block_args(context: Context) -> tuple[str, ...]:
    """With a bucket all blocks stay as short as they are uploaded, for which see `BLOCK`."""
    if not context.config.storage.thanos:
        return ()
    return tuple(f"--storage.tsdb.{which}-block-duration={BLOCK}" for which in ("min", "max"))


def _config(context: Context, others: Sequence[Service], own: Metrics, number: int) -> dict[str, Any]:
    config, replicated = context.config, bool(_replica_label(context, number))
    limits: dict[str, Any] = {"time": config.retention_time}
    if config.retention.size:
        limits["size"] = config.retention.size
    jobs = [scrape_job(context, own, NAME, *_replicas(context)[1:])]
    for group in dict.fromkeys(service.group for service in others):
        first, *further = (service for service in others if service.group == group)
        jobs += [scrape_job(context, metrics, first, *(each.name for each in further)) for metrics in first.metrics]
    if any(service.name == "blackbox-exporter" for service in others):
        jobs += [_probe_job(context, probe) for probe in (*config.probes, *_own_probes(context))]
    jobs += cluster_jobs(context)
    jobs += [service_job(context, service) for service in config.services]
    jobs += federation_jobs(context)
    return {
        "global": {
            "scrape_interval": config.scrape.interval,
            "scrape_timeout": config.scrape.timeout,
            "evaluation_interval": config.scrape.evaluation_interval or config.scrape.interval,
            "external_labels": {"environment": config.environment, **_replica_label(context, number)},
        },
        "storage": {"tsdb": {"retention": limits}, "exemplars": {"max_exemplars": 100000}},
        "rule_files": [f"{_FOLDER}/current/rules/*.yaml"],
        "alerting": {
            # Or Alertmanager would take the same alert of two replicas for two.
            **({"alert_relabel_configs": [{"regex": REPLICA, "action": "labeldrop"}]} if replicated else {}),
            "alertmanagers": _alertmanagers(context, others),
        },
        "scrape_configs": jobs,
        **remote_write(context, f"{_FOLDER}/current", REPLICA),
    }


def _calls(context: Context, others: Sequence[Service], own: Metrics) -> tuple[Call, ...]:
    """What is scraped, where alerts go, and services of the user, whose addresses only their discovery knows."""
    inside = [Call(service.name, metrics.port) for service in others for metrics in service.metrics]
    inside += [Call(name, own.port) for name in _replicas(context)]
    inside += [Call(each.name, each.port("http").number) for each in others if each.group == "alertmanager"]
    names = {service.name for service in others}
    for service in context.config.services:
        if service.discovery.static:  # of the stack itself, or anywhere
            inside += [
                Call(host, int(port)) if host in names else Call()
                for host, _, port in (target.rpartition(":") for target in static_targets(service))
            ]
        elif service.discovery.kubernetes is None:
            inside.append(Call())
    return tuple(dict.fromkeys([*inside, *federation_calls(context.config), *calls(context)]))


def _alertmanagers(context: Context, others: Sequence[Service]) -> list[dict[str, Any]]:
    replicas = [service for service in others if service.group == "alertmanager"]
    if not replicas:
        return []
    client = context.access.client_config(f"{_FOLDER}/current", "alertmanager" if len(replicas) > 1 else "")
    targets = [f"{service.name}:{service.port('http').number}" for service in replicas]
    return [{"scheme": context.access.scheme, **client, "static_configs": [{"targets": targets}]}]


def _replicas(context: Context) -> list[str]:
    return [replica_name(NAME, number) for number in context.replicas(NAME)]


def _replica_label(context: Context, number: int) -> dict[str, str]:
    """In a bucket too, even for one: else its blocks would be another series' once there are more."""
    told_apart = len(context.replicas(NAME)) > 1 or context.config.storage.thanos
    return {REPLICA: str(number)} if told_apart else {}


def _own_probes(context: Context) -> tuple[BlackboxProbe, ...]:
    """The stack's own certificate is watched like any other: when it ends, everything refuses everything."""
    if context.config.access is None:
        return ()
    own: dict[str, Any] = {"name": OWN_CERTIFICATE, "module": OWN_CERTIFICATE, "target": f"{NAME}:{PORT}"}
    return (BlackboxProbe.model_construct(**own),)


def _probe_job(context: Context, probe: BlackboxProbe) -> dict[str, Any]:
    """One scrape job per probe; all carry job="probe", so that rules and dashboards find them by one label."""
    blackbox = Metrics(f"probe-{probe.name}", 9115, "/probe", protected=True)
    job = scrape_job(context, blackbox, "blackbox-exporter")
    if probe.interval:
        job |= {"scrape_interval": probe.interval}
    if timeout := capped_timeout(context, probe.interval):
        job |= {"scrape_timeout": timeout}
    job |= {
        "params": {"module": [probe.module], "target": [probe.target]},
        "relabel_configs": [
            {"target_label": "instance", "replacement": literal(probe.target)},
            {"target_label": "job", "replacement": "probe"},
            {"target_label": "probe", "replacement": probe.name},
            {"target_label": "team", "replacement": probe.team},
        ],
    }
    return job
