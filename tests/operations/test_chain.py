"""A broken link between metric, rule, route, receiver, message, runbook and dashboard is found and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from components.config import StackConfig
from components.promql import selectors
from components.spec import Plan
from components.yaml_text import dump, load
from operations import chain
from operations.chain import chain_checks, concerns, receivers_of
from operations.results import Status
from tests.support import GENERATED, STACKS, config_of, planned, service, stack

CHECKOUT: dict[str, Any] = {
    "name": "checkout",
    "team": "payments",
    "port": 8080,
    "discovery": {"static": {"targets": ["one"]}},
    "exposes": ["http"],
}
CHAT: dict[str, Any] = {"chat": {"type": "webhook", "url": "https://chat.example.com/hook"}}


def findings(config: StackConfig, plan: Plan) -> dict[str, str]:
    """What failed, by the name of the check."""
    return {result.name: result.detail for result in chain_checks(config, plan) if result.status is Status.FAILED}


def changed(plan: Plan, name: str, path: str, change: Callable[[Any], None]) -> Plan:
    """The plan with the data of one YAML file changed in place."""
    one = service(plan, name)
    files = []
    for file in one.files:
        content = file.content
        if file.path == path:
            data = load(content)
            change(data)
            content = dump(data)
        files.append(replace(file, content=content))
    new = replace(one, files=tuple(files))
    assert new != one
    return replace(plan, services=tuple(new if each is one else each for each in plan.services))


def with_rule(**rule: Any) -> tuple[StackConfig, Plan]:
    """A stack with a service, and one rule more among Prometheus' own."""
    config = stack(services=[CHECKOUT])
    plan = planned(config)

    def add(data: Any) -> None:
        data["groups"][0]["rules"].append(rule)

    return config, changed(plan, "prometheus", "rules/prometheus.yaml", add)


@pytest.mark.parametrize("name", [*STACKS, *GENERATED])
def test_every_stack_holds_together(name: str) -> None:
    config = config_of(name)
    assert findings(config, planned(config)) == {}


def test_a_metric_that_nothing_stores_is_named_with_what_is_near() -> None:
    found = findings(*with_rule(record="a:b:c", expr="rate(http_request_total[5m])"))
    assert found == {
        "chain: metric to rule": "prometheus: a:b:c asks for http_request_total, which nothing in this stack stores; "
        "http_requests_total?"
    }


def test_a_metric_that_its_job_drops_is_not_stored() -> None:
    config = stack(services=[CHECKOUT, {**CHECKOUT, "name": "search", "drop": ["http_requests_.*"]}])
    (detail,) = findings(config, planned(config)).values()
    assert re.fullmatch(r"services\[1\]\.drop leaves out http_requests_total, which [3-9] rules need", detail)
    config = stack(services=[{**CHECKOUT, "keep": ["http_request_duration_seconds_count"]}])
    ((check, detail),) = findings(config, planned(config)).items()
    assert check == "chain: metric to storage"
    assert [line.split(", ")[0] for line in detail.splitlines()] == [
        "services[0].keep leaves out http_requests_total",
        "services[0].keep leaves out http_request_duration_seconds",
    ]
    kept = stack(services=[{**CHECKOUT, "keep": ["http_request.*"]}])
    assert findings(kept, planned(kept)) == {}


def test_a_label_that_a_metric_does_not_have() -> None:
    found = findings(
        *with_rule(record="a:b:c", expr='http_requests_total{status="500", method="GET", service="checkout"}')
    )
    assert found == {
        "chain: metric to rule": "prometheus: a:b:c selects http_requests_total by status, which checkout declares it "
        "without"
    }


def test_labels_are_those_of_each_service_by_itself() -> None:
    """One that has the label must not hide another that lacks it, on which the rule would be quiet for ever."""
    other = {"http_requests_total": {"type": "counter", "labels": {"method": 4, "code": 5}}}
    search = {**CHECKOUT, "name": "search", "metrics": other}
    cart = {**search, "name": "cart"}
    config = stack(services=[CHECKOUT, search, cart])
    detail = findings(config, planned(config))["chain: metric to rule"]
    assert "selects http_requests_total by status_code, which search, cart declares it without" in detail
    assert "checkout declares" not in detail
    own = 'http_requests_total{service=~"checkout|shop", status_code="500", job!="cart"}'
    (chosen,) = selectors(own)
    assert [name for name in ("checkout", "shop", "cart", "search") if concerns(chosen, name)] == ["checkout", "shop"]
    (others,) = selectors('http_requests_total{service!~"check.*", job!="cart", method="GET"}')
    assert [name for name in ("checkout", "cart", "search") if concerns(others, name)] == ["search"]
    (empty,) = selectors('http_requests_total{service!="", job="cart"}')
    assert [name for name in ("checkout", "cart") if concerns(empty, name)] == ["cart"]


def test_alerts_that_end_with_nobody_are_counted_with_their_teams() -> None:
    routes = [{"match": {"severity": ["critical", "emergency"]}, "channels": ["chat"]}]
    config = stack(services=[CHECKOUT], alerting={"channels": CHAT, "routes": routes})
    detail = findings(config, planned(config))["chain: rule to route and receiver"]
    assert re.fullmatch(
        r"[3-9]\d alerts of team payments, platform end with nobody: \w+, \w+, \w+, and [3-9]\d more; no route takes "
        r"them and there are no default_channels \(write `default_channels: \[\]` if they shall only be shown\)",
        detail,
    )
    assert "TargetDown" not in detail


def test_one_alert_that_ends_with_nobody_and_the_route_that_misses_it() -> None:
    every = [rule["alert"] for rule in chain.plan_alerts(planned(stack()))]
    lost = ["TargetDown", "HighMemoryUsage", "HighCPUUsage", "DiskSpaceLow"]
    for several, named in (
        (lost[:1], "1 alert of team platform ends with nobody: TargetDown; no route"),
        (lost, "4 alerts of team platform end with nobody: "),
    ):
        routes = [
            {"match": {"alertname": "CassandraNodeDown"}, "channels": ["chat"]},
            {"match": {"alertname": sorted({*every} - {*several})}, "channels": ["chat"]},
        ]
        config = stack(alerting={"channels": CHAT, "routes": routes})
        first, *others = findings(config, planned(config))["chain: rule to route and receiver"].splitlines()
        assert first.startswith(named)
        assert [name for name in lost if name in first] == several, "the last one is not hidden behind `and 1 more`"
        assert others == ["alerting.routes[0] matches no alert of this stack"]


def test_channels_of_a_service_take_its_alerts() -> None:
    routes = [{"match": {"team": "platform"}, "channels": ["chat"]}]
    lost = stack(services=[CHECKOUT], alerting={"channels": CHAT, "routes": routes})
    assert "of team payments end with nobody" in findings(lost, planned(lost))["chain: rule to route and receiver"]
    taken = stack(services=[{**CHECKOUT, "channels": ["chat"]}], alerting={"channels": CHAT, "routes": routes})
    assert findings(taken, planned(taken)) == {}


@pytest.mark.parametrize("alerting", [{"default_channels": []}, {"default_channels": ["chat"]}])
def test_ending_with_nobody_on_purpose_is_no_problem(alerting: dict[str, Any]) -> None:
    routes = [{"match": {"severity": "critical"}, "channels": ["chat"]}]
    config = stack(alerting={"channels": CHAT, "routes": routes, **alerting})
    assert findings(config, planned(config)) == {}


def test_a_stack_without_a_channel_is_said_and_is_no_failure() -> None:
    config = stack()
    results = chain_checks(config, planned(config))
    assert [(r.status, r.detail) for r in results if r.name == "chain: receiver to people"] == [
        (Status.NOT_CHECKED, "no channel is defined: alerts are only shown, in Prometheus, Alertmanager and Grafana")
    ]


def test_a_receiver_without_an_integration() -> None:
    config = stack(alerting={"channels": CHAT, "default_channels": ["chat"]})

    def empty(data: Any) -> None:
        (chat,) = (receiver for receiver in data["receivers"] if receiver["name"] == "chat")
        del chat["webhook_configs"]

    plan = changed(planned(config), "alertmanager", "alertmanager.yml", empty)
    assert findings(config, plan) == {"chain: rule to route and receiver": "receiver chat has no integration"}


def test_an_alert_without_words_labels_page_or_dashboard() -> None:
    found = findings(*with_rule(alert="NobodyKnows", expr="up == 0", labels={"severity": "warning"}))
    assert found["chain: rule to message"].splitlines() == [
        "NobodyKnows has no summary",
        "NobodyKnows has no description",
        "NobodyKnows has no label category",
        "NobodyKnows has no label team",
    ]
    assert found["chain: rule to runbook"] == "NobodyKnows has no page runbooks/NobodyKnows.md"


def test_a_page_without_an_alert(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "RUNBOOKS", tmp_path)
    (tmp_path / "Forgotten.md").touch()
    assert list(chain.runbook_problems([])) == ["runbooks/Forgotten.md belongs to no alert"]


def test_a_link_to_a_dashboard_that_is_not_provisioned() -> None:
    config = stack()
    plan = planned(config)

    def elsewhere(data: Any) -> None:
        for rule in data["groups"][0]["rules"]:
            if rule.get("alert") == "TargetDown":
                rule["annotations"]["dashboard_url"] = "http://localhost:3000/d/gone{{ with $labels.job }}?a=/d/node"

    broken = changed(plan, "prometheus", "rules/prometheus.yaml", elsewhere)
    assert findings(config, broken) == {
        "chain: rule to dashboard": "TargetDown links to http://localhost:3000/d/gone{{ with $labels.job }}?a=/d/node, "
        "which is not provisioned"
    }


def test_a_panel_on_a_metric_that_nothing_exposes() -> None:
    config = stack()
    plan = planned(config)
    grafana = service(plan, "grafana")
    path = "dashboards/Observatory/stack.json"
    files = tuple(
        replace(file, content=file.content.replace("prometheus_tsdb_head_series", "prometheus_tsdb_hat_series"))
        if file.path == path
        else file
        for file in grafana.files
    )
    assert files != grafana.files
    broken = replace(plan, services=tuple(replace(s, files=files) if s is grafana else s for s in plan.services))
    detail = findings(config, broken)["chain: metric to dashboard"]
    assert "observatory-stack: panel" in detail
    assert "prometheus_tsdb_hat_series, which nothing exposes or records" in detail


TREE: dict[str, Any] = {
    "receiver": "rest",
    "routes": [
        {"receiver": "page", "matchers": ['severity=~"critical|emergency"'], "continue": True},
        {"receiver": "quoted", "matchers": ['team="say \\"hi\\""']},
        {"receiver": "night", "matchers": ['team!="web"', 'severity="warning"']},
    ],
}


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "critical", "team": "web"}, ["page"]),
        ({"severity": "critical", "team": 'say "hi"'}, ["page", "quoted"]),
        ({"severity": "warning", "team": "web"}, ["rest"]),
        ({"severity": "warning"}, ["night"]),
        ({"severity": "criticals", "team": "web"}, ["rest"]),
    ],
)
def test_routing_goes_as_alertmanager_goes(labels: dict[str, str], receivers: list[str]) -> None:
    assert receivers_of(TREE, labels) == receivers
