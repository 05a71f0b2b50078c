"""What a stack file says without effect, and links that lead nowhere, are told; what works is not."""

from __future__ import annotations

from typing import Any

import pytest

from components.plan import plan_stack
from components.services.demo import with_demo
from tests.support import COPIED, COPIED_AWAY, STACKS, images, plan_of, planned, stack

CHAT: dict[str, Any] = {"chat": {"type": "webhook", "url": "https://chat.example.com/hook"}}
SHOP: dict[str, Any] = {
    "name": "shop",
    "team": "web",
    "port": 80,
    "discovery": {"static": {"targets": ["a"]}},
    "exposes": ["http"],
}
LINKS: dict[str, Any] = {
    "grafana": {"root_url": "https://grafana.example.com"},
    "external_urls": {"prometheus": "https://p.example.com", "alertmanager": "https://192.0.2.7:9093/x"},
}


def notes(**changes: Any) -> list[str]:
    return list(planned(stack(**changes)).notes)


def routed(*routes: dict[str, Any], **changes: Any) -> list[str]:
    alerting = {"channels": CHAT, "default_channels": ["chat"], "routes": [{"channels": ["chat"], **r} for r in routes]}
    return notes(alerting=alerting, **LINKS, **changes)


@pytest.mark.parametrize("name", STACKS)
def test_the_examples_say_nothing_in_vain(name: str) -> None:
    assert plan_of(name).notes == ()


def test_a_route_that_no_alert_goes_by() -> None:
    assert routed({"match": {"category": "compliance"}}) == ["alerting.routes[0] matches no alert of this stack"]
    audited = {**SHOP, "exposes": ["http", "compliance"]}
    assert routed({"match": {"category": "compliance"}}, services=[audited]) == []
    assert routed({"match": {"severity": "none"}}) == ["alerting.routes[0] matches no alert of this stack"], "Watchdog"
    assert routed({"match": {"service": ["shop", "else"]}}, services=[SHOP]) == []
    assert routed({"match": {"instance": "anything"}}) == [], "what only series know is not judged"


def test_a_team_in_a_route_that_owns_nothing() -> None:
    teams = {"match": {"team": ["web", "platform", "network", "wbe"]}}
    ping = {"name": "gateway", "target": "192.0.2.1", "module": "icmp", "team": "network"}
    assert routed(teams, services=[SHOP], probes=[ping]) == [
        "alerting.routes[0].match: team wbe owns no service or probe here; did you mean web?"
    ]


def test_a_route_behind_one_that_takes_everything_it_matches() -> None:
    critical, page = {"match": {"severity": "critical"}}, {"match": {"severity": ["critical", "emergency"]}}
    behind = "alerting.routes[{}] gets no alert: the routes before it take all that it matches".format
    assert routed(page, critical) == [behind(1)]
    assert routed({**page, "continue": True}, critical) == []
    warnings = {"match": {"severity": "warning"}}
    assert routed(warnings, page, {"not_match": {"severity": "none"}}, {"match": {"team": "platform"}}) == [
        behind(2),
        behind(3),
    ]
    assert routed({"not_match": {"team": "platform"}}, {"match": {"team": "web"}}, services=[SHOP]) == [behind(1)]
    assert routed({"not_match": {"team": "web"}}, {"match": {"team": "web"}}, services=[SHOP]) == []


def test_settings_of_an_alert_that_nothing_can_raise() -> None:
    own = {"CassandraNodeDown": {"for": "10m"}, "APIHighErrorRate": {"threshold": "2%"}, "TargetDown": False}
    assert notes(alerts=own, services=[SHOP]) == [
        "alerts.CassandraNodeDown has no effect: nothing in this stack exposes what the alert asks for (cassandra)"
    ]


def test_dashboards_that_have_no_data_here() -> None:
    assert notes(dashboards=["node", "cassandra"]) == [
        "dashboards: cassandra is not shown: nothing in this stack has data for it"
    ]
    off = notes(dashboards=["node"], grafana={"enabled": False})
    assert off == ["dashboards has no effect: grafana.enabled is false"]


def test_ports_and_limits_of_what_is_not_in_the_stack() -> None:
    ports = {"demo": 8003, "grafana": 3001, "otlp_grpc": 4317, "zipkin": None}
    without: dict[str, Any] = {"grafana": {"enabled": False}, "tracing": {"backend": "none"}}
    assert notes(ports=ports, resources={"jaeger": {"cpus": 1}, "prometheus": {"cpus": 1}}, **without) == [
        "ports.demo has no effect: demo is false",
        "ports.grafana has no effect: grafana.enabled is false",
        "ports.otlp_grpc has no effect: tracing.backend is none",
        "resources.jaeger has no effect: jaeger is not in this stack",
    ]
    config = stack(ports={"demo": 8003, "grafana": 3001, "zipkin": 9411}, demo=True)
    config = with_demo(config, images(config))
    assert not [note for note in planned(config).notes if "no effect" in note]


def test_what_cannot_be_had_on_this_machine_is_still_in_the_stack() -> None:
    config = stack(ports={"grafana": 3001}, resources={"grafana": {"cpus": 1}}, dashboards=["node"])
    found = plan_stack(config, images(config, without=["grafana"])).notes
    assert not [note for note in found if "no effect" in note or "not shown" in note]


def test_links_that_only_work_on_the_stacks_host() -> None:
    alerting = {"channels": CHAT, "default_channels": ["chat"]}
    lead = "links in messages lead to {}, which only works on the stack's host; say how people reach it".format
    assert notes(alerting=alerting) == [
        f"grafana.root_url: {lead('http://localhost:3000')}",
        f"external_urls.alertmanager: {lead('http://localhost:9093')}",
        f"external_urls.prometheus: {lead('http://localhost:9090')}",
    ]
    hidden = notes(alerting=alerting, grafana={"enabled": False}, ports={"prometheus": None, "alertmanager": None})
    assert hidden == [
        f"external_urls.alertmanager: {lead('http://alertmanager:9093')}",
        f"external_urls.prometheus: {lead('http://prometheus:9090')}",
    ]
    assert notes(alerting=alerting, **LINKS) == []
    assert notes() == [], "without a channel there is no message"
    inside = notes(alerting=alerting, platform="kubernetes", kubernetes={"context": "test"})
    assert inside[0] == (
        "grafana.root_url: links in messages lead to http://grafana:3000, which only works inside of the cluster; "
        "say how people reach it"
    )


@pytest.mark.parametrize(
    ("entrance", "settings"),
    [("ingress", {"tls_secret": "tls"}), ("gateway", {"name": "edge", "namespace": "edge", "section_name": "tls"})],
)
def test_what_is_opened_to_programs_that_are_not_there(entrance: str, settings: dict[str, Any]) -> None:
    cluster: dict[str, Any] = {"context": "test", "trace_namespaces": ["shop"], "sample_namespaces": ["regions"]}
    cluster |= {entrance: {"hosts": {"grafana": "grafana.example.com"}, **settings}}
    found = notes(platform="kubernetes", kubernetes=cluster, grafana={"enabled": False}, tracing={"backend": "none"})
    assert found == [
        f"kubernetes.{entrance}.hosts.grafana has no effect: grafana.enabled is false",
        "kubernetes.trace_namespaces has no effect: tracing.backend is none",
        "kubernetes.sample_namespaces has no effect: storage.receive is not set",
    ]
    bucket = {"backend": "s3", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}, "receive": {}}
    assert notes(platform="kubernetes", kubernetes=cluster, storage=bucket) == []


def test_a_ruler_without_rules() -> None:
    storage = {"backend": "s3", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}, "ruler": ["slo"]}
    assert notes(storage=storage) == [
        "storage.ruler: slo has no rules in this stack, as no service exposes what they ask for"
    ]


def test_limits_of_what_copies_have_an_effect_in_a_cluster() -> None:
    assert not [line for line in plan_of("copied-cluster").notes if "has no effect" in line]
    cluster = {"platform": "kubernetes", "kubernetes": {"context": "test"}}
    config = stack(
        **cluster, backup=COPIED_AWAY, resources={"backup": {"memory": "256MB"}}, dashboards=["backup-compliance"]
    )
    assert not [line for line in planned(config).notes if "has no effect" in line or "is not shown" in line]


def test_a_backup_says_what_it_has_no_copy_of() -> None:
    database = {"host": "db.example.com", "password": {"secret": "grafanaDatabase"}}
    config = stack(grafana={"database": database}, backup=COPIED)
    note = (
        "grafana-dump is left out: its image cannot be had on this machine (see `make ready`); copies have nothing of"
    )
    assert any(line.startswith(note) for line in planned(config, without=["grafana-dump"]).notes)
    assert not any("grafana.database" in line for line in planned(config).notes)


def test_a_login_at_a_region_that_anyone_can_read_on_the_way() -> None:
    login = {"basic": {"username": "observatory", "password": {"secret": "euPassword"}}}
    region = {"name": "eu", "url": "http://prometheus.eu.example.com", "authentication": login}
    (note,) = (each for each in planned(stack(federation=[region])).notes if "federation" in each)
    assert note == (
        "federation[0].authentication: the login goes unencrypted, as http://prometheus.eu.example.com has no https://"
    )
    for quiet in ({**region, "url": "https://prometheus.eu.example.com"}, {**region, "authentication": None}):
        assert not [each for each in planned(stack(federation=[quiet])).notes if "federation" in each]


@pytest.mark.parametrize(("backend", "expected"), [("s3", 1), ("cortex", 1), ("thanos", 0)])
def test_a_bucket_that_is_reached_without_tls(backend: str, expected: int) -> None:
    """Of one that the stack makes, the resource itself says so."""
    bucket = {"name": "acme-metrics", "region": "us-east-1", "endpoint": "http://s3.example.com:9000"}
    open_, closed = (
        planned(stack(storage={"backend": backend, "bucket": {**bucket, "endpoint": endpoint}})).notes
        for endpoint in ("http://s3.example.com:9000", "https://s3.example.com:9000")
    )
    told = "storage.bucket.endpoint: samples can be read on the way to s3.example.com:9000: it is no https://"
    assert [note for note in open_ if "bucket" in note] == [told] * expected
    assert [note for note in closed if "bucket" in note] == []
