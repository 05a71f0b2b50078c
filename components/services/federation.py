"""Federation: the scrape jobs that collect series of other Prometheus servers, told apart by region.

Source: https://prometheus.io/docs/prometheus/latest/federation/
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from components.catalogue import FEDERATION
from components.config import StackConfig
from components.config.federation import JOB, LABEL, FederatedServer
from components.context import Context
from components.promql import narrowed
from components.rules import RuleGroups
from components.services.scraping import capped_timeout, client_secrets, client_settings
from components.spec import Call, File

_FOREIGN = f"exported_{LABEL}"
"""Where Prometheus itself puts a label that a target has already."""


def federation_jobs(context: Context) -> list[dict[str, Any]]:
    """One job for each region."""
    return [_job(context, server) for server in context.config.federation]


def federation_secrets(context: Context) -> tuple[File, ...]:
    """The secret files of these jobs."""
    return tuple(file for server in context.config.federation for file in client_secrets(_name(server), server))


def federation_calls(config: StackConfig) -> list[Call]:
    """A region may be anywhere, and behind any port."""
    return [Call()] if config.federation else []


def own_series_only(config: StackConfig, groups: RuleGroups) -> RuleGroups:
    """Rules that pass over the regions' series, on which the regions' own rules speak: nothing is told twice.

    Those about the federation itself are left as they are.
    """
    if not config.federation:
        return groups
    regions = "|".join(re.escape(server.name).replace("\\-", "-") for server in config.federation)
    return {
        subject: found if subject == FEDERATION else [_narrowed(group, f'{LABEL}!~"{regions}"') for group in found]
        for subject, found in groups.items()
    }


def _narrowed(group: dict[str, Any], matcher: str) -> dict[str, Any]:
    return group | {"rules": [rule | {"expr": narrowed(rule["expr"], matcher)} for rule in group["rules"]]}


def _name(server: FederatedServer) -> str:
    return f"{JOB}-{server.name}"


def _job(context: Context, server: FederatedServer) -> dict[str, Any]:
    url = urlsplit(server.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    job: dict[str, Any] = {
        "job_name": _name(server),
        # The series' own labels stay what they are in the region, `job`, `instance` and `environment` above all.
        "honor_labels": True,
        # Samples come with their times, so Prometheus would show a series that has ended for five minutes more.
        "track_timestamps_staleness": True,
        "metrics_path": f"{url.path.rstrip('/')}/federate",
        "params": {"match[]": list(server.match)},
    }
    settings = (
        ("scheme", url.scheme if url.scheme != "http" else None),
        ("scrape_interval", server.interval),
        ("scrape_timeout", server.timeout or capped_timeout(context, server.interval)),
    )
    job |= {key: value for key, value in settings if value}
    job |= client_settings(_name(server), server)
    job |= {
        "sample_limit": server.sample_limit,
        "static_configs": [{"targets": [f"{host}:{port}"], "labels": {LABEL: server.name}}],
        "relabel_configs": [{"target_label": "job", "replacement": JOB}],
        "metric_relabel_configs": _labels(server.name),
    }
    return job


def _labels(region: str) -> list[dict[str, Any]]:
    """`region` is the region's name on every series; one that a series has already is kept as `exported_region`.

    Prometheus gives series without a job that of the target they come from: that is taken off again.
    """
    return [
        {"source_labels": [LABEL], "target_label": _FOREIGN},
        {"source_labels": [_FOREIGN], "regex": region, "target_label": _FOREIGN, "replacement": ""},
        {"target_label": LABEL, "replacement": region},
        {"source_labels": ["job", _FOREIGN], "regex": f"{JOB};", "target_label": "job", "replacement": ""},
    ]
