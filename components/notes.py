"""What people should know about a stack file though it is no mistake: settings without effect, links that lead nowhere.

Each note is one line that begins with the key that it is about.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from components.catalogue import all_alerts
from components.config import StackConfig
from components.config.base import duration_text, seconds
from components.config.route_checks import team_notes
from components.config.routing import Route, Values
from components.config.storage import VICTORIA_CLUSTER
from components.context import Context
from components.images import ImageCatalogue
from components.rules import RuleGroups, chosen_groups, grafana_url, shown_dashboards, storage_subjects, subjects_on
from components.series import sources
from components.services.alertmanager_receivers import channel_notes
from components.services.prometheus import NAME as PROMETHEUS
from components.services.prometheus import server_limits
from components.sizing import asked, load_of
from components.sizing_bucket import asked_bucket, bucket_growth
from components.sizing_remote import asked_remote, kept_elsewhere
from components.spec import Resources, Service

Rule = Mapping[str, Any]
_PORTS = {
    "grafana": ("grafana", "grafana.enabled is false"),
    "jaeger": ("jaeger", "tracing.backend is none"),
    "otlp_grpc": ("jaeger", "tracing.backend is none"),
    "otlp_http": ("jaeger", "tracing.backend is none"),
    "zipkin": ("jaeger", "tracing.backend is none"),
    "thanos": ("thanos-query", "storage.backend is local"),
    "victoria": ("victoria-metrics", "storage.backend is not victoria"),
    "cortex": ("cortex", "storage.backend is not cortex"),
    "receive": ("thanos-receive", "storage.receive is not set"),
    "demo": ("demo-traffic", "demo is false"),
}
"""Published port to the product that listens there, and why it may not be in a stack."""


def stack_notes(config: StackConfig, services: Iterable[Service], groups: RuleGroups | None = None) -> list[str]:
    """All notes on a stack of these programs, be their images here or not; `groups` are their rules, where known."""
    there = list(services)
    limits = {service.name: service.resources for service in there}
    planned = {*limits} | {service.group for service in there}
    groups = chosen_groups(config, planned) if groups is None else groups
    alerts = [rule for found in groups.values() for group in found for rule in group["rules"] if "alert" in rule]
    teams = {"platform", *(service.team for service in config.services), *(probe.team for probe in config.probes)}
    return [
        *channel_notes(config.alerting),
        *_link_notes(config),
        *route_notes(config, alerts),
        *team_notes(config.alerting.routes, teams),
        *_alert_notes(config, planned, {rule["alert"] for rule in alerts}),
        *_dashboard_notes(config, planned),
        *_availability_notes(config),
        *_product_notes(config, planned),
        *size_notes(config, limits, groups),
        *_storage_notes(config),
        *(
            f"federation[{index}].authentication: the login goes unencrypted, as {server.url} has no https://"
            for index, server in enumerate(config.federation)
            if server.authentication and not server.url.startswith("https://")
        ),
        *_cluster_notes(config, planned),
        *(
            f"storage.ruler: {subject} has no rules in this stack, as no service exposes what they ask for"
            for subject in config.storage.ruler
            if subject not in groups
        ),
    ]


def _cluster_notes(config: StackConfig, planned: set[str]) -> Iterator[str]:
    if config.kubernetes is None:
        return
    if "grafana" not in planned and config.kubernetes.hosts.grafana:
        yield f"kubernetes.{config.kubernetes.entrance}.hosts.grafana has no effect: grafana.enabled is false"
    if "jaeger" not in planned and config.kubernetes.trace_namespaces:
        yield "kubernetes.trace_namespaces has no effect: tracing.backend is none"
    if "thanos-receive" not in planned and config.kubernetes.sample_namespaces:
        yield "kubernetes.sample_namespaces has no effect: storage.receive is not set"
    if config.kubernetes.operator == "existing":
        yield (
            "kubernetes.operator: the cluster's Prometheus operator starts and updates Prometheus, on the same data; "
            "`up` does not wait for it, `./observatory verify` does"
        )


def counted(number: int, thing: str) -> str:
    """The number with its noun."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def alert_owners(config: StackConfig) -> set[tuple[str, str]]:
    """Service and team of all who can own an alert; the service is empty for what belongs to none."""
    owners = {("", "platform"), *(("", probe.team) for probe in config.probes)}
    return owners | {(service.name, service.team) for service in config.services}


def routed_labels(
    environment: str, owners: Iterable[tuple[str, str]], alerts: Iterable[Rule]
) -> Iterator[dict[str, str]]:
    """The labels that routes go by, of every alert; one that any service can raise stands once for each."""
    every = sorted(owners)
    for rule in alerts:
        labels = {"alertname": rule["alert"], "environment": environment, "team": "", **rule.get("labels", {})}
        if "{{" not in labels["team"]:
            yield labels
            continue
        for service, team in every:
            yield labels | {"service": service, "team": team}


def route_notes(config: StackConfig, alerts: Iterable[Rule]) -> Iterator[str]:
    """Routes that no alert of this stack goes by, because of their matchers or because of the routes before them.

    Labels that only series have, such as `instance`, are not known before: routes that ask for them are not judged.
    """
    routed = routed_labels(config.environment, alert_owners(config), alerts)
    every = [labels for labels in routed if labels["alertname"] != "Watchdog"]
    free, known = every, {label for labels in every for label in labels}
    for index, route in enumerate(config.alerting.routes):
        if not {*route.match, *route.not_match} <= known:
            continue
        if not any(_takes(route, labels) for labels in every):
            yield f"alerting.routes[{index}] matches no alert of this stack"
        elif not any(_takes(route, labels) for labels in free):
            yield f"alerting.routes[{index}] gets no alert: the routes before it take all that it matches"
        if not route.continue_:
            free = [labels for labels in free if not _takes(route, labels)]


def _takes(route: Route, labels: Mapping[str, str]) -> bool:
    def among(label: str, values: Values) -> bool:
        return labels.get(label, "") in ((values,) if isinstance(values, str) else values)

    return all(among(*each) for each in route.match.items()) and not any(
        among(*each) for each in route.not_match.items()
    )


def _link_notes(config: StackConfig) -> Iterator[str]:
    """Links in messages that only work on the host of the stack, or inside of its cluster."""
    if not config.alerting.channels:
        return
    context = Context(config, ImageCatalogue({}))  # addresses need no images
    here = "inside of the cluster" if config.kubernetes else "on the stack's host"
    for key, url in (
        ("grafana.root_url", grafana_url(context) if config.grafana.enabled else ""),
        ("external_urls.alertmanager", context.external_url("alertmanager", 9093)),
        ("external_urls.prometheus", context.external_url("prometheus", 9090)),
    ):
        if url and _only_here(url):
            where = f"links in messages lead to {url}, which only works {here}"
            yield f"{key}: {where}; say how people reach it"


def size_notes(
    config: StackConfig, limits: Mapping[str, Resources], groups: Mapping[str, Sequence[Rule]]
) -> Iterator[str]:
    """Values of the stack file that are too little for the load that it declares, and what to write instead."""
    load = load_of(sources(config, limits, groups), seconds(config.retention_time))
    context = Context(config, ImageCatalogue({}))
    own, replicas = server_limits(context), len(context.replicas(PROMETHEUS))
    for row in (
        *asked(config, load, own.memory * 2**20, own.cpus),
        *asked_remote(config, load, limits, replicas),
        *(asked_bucket(config, bucket_growth(load, config.storage, replicas)) if config.storage.thanos else ()),
    ):
        if row.verdict == "too little":
            default = ", its default," if row.default else ""
            remark = f" ({row.remark})" if row.remark else ""
            yield (
                f"{row.key}{default} is too little for about {load.series:,} series, {load.rate:,.0f} samples/s{remark}"
                f": write {row.advice}; `./observatory size` tells more"
            )


def _storage_notes(config: StackConfig) -> Iterator[str]:
    """Samples that can be read on their way, and a place for long that keeps for less than Prometheus' own disk."""
    storage, disk = config.storage, seconds(config.retention_time)
    if storage.bucket and storage.bucket.insecure and storage.backend != "thanos":  # of its own the stack tells itself
        yield f"storage.bucket.endpoint: samples can be read on the way to {storage.bucket.address}: it is no https://"
    if 0 < kept_elsewhere(config) < disk:
        kept = getattr(storage, storage.backend).retention
        yield (
            f"storage.{storage.backend}.retention: {kept} is less than the {duration_text(disk)} on Prometheus' own "
            "disk; dashboards ask for the former alone"
        )


def _only_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host  # localhost, or the network name of a product that is not published


def _alert_notes(config: StackConfig, planned: set[str], alerts: set[str]) -> Iterator[str]:
    named = {*config.alerts} & {*all_alerts()} - alerts
    if not named:
        return
    everything = config.model_copy(update={"alerts": {}})
    groups = chosen_groups(everything, planned)
    evaluated = {rule.get("alert") for found in groups.values() for group in found for rule in group["rules"]}
    for name in sorted(named - evaluated):
        subject = all_alerts()[name].subject
        yield f"alerts.{name} has no effect: nothing in this stack exposes what the alert asks for ({subject})"


def _dashboard_notes(config: StackConfig, planned: set[str]) -> Iterator[str]:
    if "dashboards" not in config.model_fields_set:
        return
    if "grafana" not in planned:
        yield "dashboards has no effect: grafana.enabled is false"
        return
    shown = {board.name for board in shown_dashboards(config, subjects_on(config, planned))}
    for name in config.dashboards:
        if name not in shown:
            yield f"dashboards: {name} is not shown: nothing in this stack has data for it"


def _availability_notes(config: StackConfig) -> Iterator[str]:
    wanted = config.high_availability
    cluster = config.storage.victoria_cluster
    if wanted.one_host and not wanted.asked and not cluster:
        yield "high_availability.one_host has no effect: nothing has replicas"
    asked = wanted.asked | ({name: cluster.count(name) for name in VICTORIA_CLUSTER} if cluster else {})
    if asked and config.platform == "docker":
        programs = " and ".join(f"{count} replicas of {name}" for name, count in asked.items() if count > 1)
        yield (
            f"high_availability.one_host: {programs} run on one machine; they outlive the crash of a program, "
            "not that of the machine"
        )
    if cluster and cluster.replication_factor == 1:
        yield (
            "storage.victoria.cluster.replication_factor: each sample is on one vmstorage; queries fail while any of "
            "them is away"
        )
    if cluster and config.access:
        yield (
            "storage.victoria.cluster: what vminsert and vmselect say to vmstorage is not encrypted, which only the "
            "Enterprise edition of VictoriaMetrics can; it stays in the stack's own network"
        )


def _product_notes(config: StackConfig, planned: set[str]) -> Iterator[str]:
    there = planned | storage_subjects(config)
    for name in sorted(config.ports.model_fields_set & {*_PORTS}):
        product, reason = _PORTS[name]
        if getattr(config.ports, name) is not None and product not in there:
            yield f"ports.{name} has no effect: {reason}"
    for name in sorted({*config.resources} - planned):
        yield f"resources.{name} has no effect: {name} is not in this stack"
