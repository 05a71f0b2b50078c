"""The ruler: which rules it takes over, over which series it evaluates them, whom it asks and tells."""

from __future__ import annotations

from typing import Any

from components.catalogue import rule_file, rule_subjects
from components.promql import metrics_in, selectors
from components.spec import Call, Plan, Service, Volume
from tests.services.test_thanos import TLS, flag
from tests.support import ACCESS, FEDERATED, data, planned, service, stack

BUCKET = {"backend": "s3", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}}
SHOP = FEDERATED["services"]


def plan(ruler: list[str] | None = None, services: Any = SHOP, **changes: Any) -> Plan:
    storage = {**BUCKET, "ruler": ["slo"] if ruler is None else ruler, **changes.pop("storage", {})}
    return planned(stack(storage=storage, services=services, **changes))


def rule_paths(of: Service) -> set[str]:
    return {file.path for file in of.files if file.path.startswith("rules/")}


def rules(of: Service) -> list[dict[str, Any]]:
    return [rule for path in sorted(rule_paths(of)) for group in data(of, path)["groups"] for rule in group["rules"]]


def test_it_is_there_only_where_it_is_asked_for() -> None:
    assert not plan([]).replicas("thanos-rule")
    assert "rules/slo.yaml" in rule_paths(service(plan([]), "prometheus"))


def test_what_it_evaluates_prometheus_does_not() -> None:
    before, after = service(plan([]), "prometheus"), plan(["slo", "http"])
    ruler = service(after, "thanos-rule")
    assert rule_paths(ruler) == {"rules/slo.yaml", "rules/http.yaml"}
    assert rule_paths(service(after, "prometheus")) == rule_paths(before) - rule_paths(ruler) | {
        "rules/thanos-rule.yaml"
    }
    names = [rule.get("alert") or rule["record"] for rule in rules(ruler)]
    assert names == [
        rule.get("alert") or rule["record"]
        for path in sorted(rule_paths(ruler))
        for group in data(before, path)["groups"]
        for rule in group["rules"]
    ]


def test_it_looks_at_the_stacks_own_series_alone() -> None:
    """The querier has those of servers that push, too, and those of federated regions come with another region."""
    found = plan(federation=FEDERATED["federation"], storage={"receive": {}})
    for rule in rules(service(found, "thanos-rule")):
        for selector in selectors(rule["expr"]):
            matchers = {(each.name, each.value) for each in selector.matchers.matchers}
            assert ("environment", "test") in matchers, rule["expr"]
            assert any(name == "region" for name, _ in matchers), rule["expr"]


def test_a_store_that_is_away_does_not_stop_it() -> None:
    ruler = service(plan(), "thanos-rule")
    for group in data(ruler, "rules/slo.yaml")["groups"]:
        assert group["partial_response_strategy"] == "warn"
    groups = data(service(plan([]), "prometheus"), "rules/slo.yaml")["groups"]
    assert all("partial_response_strategy" not in group for group in groups), "which Prometheus would refuse"


def test_links_lead_to_the_dashboards_all_the_same() -> None:
    (alert,) = (each for each in rules(service(plan(), "thanos-rule")) if each.get("alert") == "SLOBurnRateHigh")
    assert "/d/slo" in alert["annotations"]["dashboard_url"]


def test_one_for_each_prometheus_told_apart_from_everything_that_has_samples() -> None:
    found = plan(high_availability={"prometheus": 2, "alertmanager": 3, "one_host": True})
    first, second = found.replicas("thanos-rule")
    assert rule_paths(first) == rule_paths(second)
    assert [arg for arg in second.args if arg.startswith("--label=")] == [
        '--label=environment="test"',
        '--label=replica="ruler-2"',
    ]
    assert flag(second, "alert.label-drop") == "replica", "or Alertmanager would take the alerts of two for two"
    assert second.volumes == (Volume("thanos-rule-2-data", flag(second, "data-dir")),)
    asked = [each["address"] for each in data(service(found, "thanos-query"), "endpoints.yml")["endpoints"]]
    assert {"thanos-rule:10901", "thanos-rule-2:10901"} <= {*asked}
    (told,) = data(second, "alertmanagers.yml")["alertmanagers"]
    assert told["static_configs"] == ["alertmanager:9093", "alertmanager-2:9093", "alertmanager-3:9093"]
    assert {Call("thanos-query", 10902), Call("alertmanager-3", 9093)} <= {*second.calls}


def test_it_shows_the_stacks_password_and_knows_its_authority() -> None:
    found = plan(access=ACCESS, storage={"tls": TLS}, high_availability={"alertmanager": 3, "one_host": True})
    ruler = service(found, "thanos-rule")
    (asked,) = data(ruler, "query.yml")
    assert (asked["scheme"], asked["static_configs"]) == ("https", ["thanos-query:10902"])
    assert asked["http_config"]["basic_auth"]["password_file"] == "/etc/thanos/current/secrets/access-password"
    (told,) = data(ruler, "alertmanagers.yml")["alertmanagers"]
    assert told["http_config"]["tls_config"]["server_name"] == "alertmanager", "whose certificate all of them show"
    assert flag(ruler, "grpc-server-tls-client-ca") == "/etc/thanos/current/grpc/ca.crt"
    assert {"secrets/access-password", "secrets/ca.crt"} <= {file.path for file in ruler.files}
    (plain,) = data(service(plan(), "thanos-rule"), "query.yml")
    assert plain == {"static_configs": ["thanos-query:10902"], "scheme": "http"}


def test_objectives_reach_back_as_far_as_the_bucket_does() -> None:
    """Not as far as Prometheus' own disk, which may be as small as without them."""
    long = [{**SHOP[0], "objectives": {"availability": {"target": "99%", "window": "90d"}}}]
    assert stack(storage=BUCKET, services=long).retention_time == "90d"
    assert stack(storage={**BUCKET, "ruler": ["slo"]}, services=long).retention_time == "15d"


def test_no_subject_asks_for_what_another_records() -> None:
    """So that any of them can be evaluated elsewhere: Prometheus has nothing of what the ruler records."""
    recorded = {
        rule["record"]: subject
        for subject in rule_subjects()
        if (file := rule_file(subject))
        for rule in file.rules()
        if "record" in rule
    }
    assert recorded
    for subject in rule_subjects():
        file = rule_file(subject)
        assert file
        asked = {recorded.get(metric, subject) for rule in file.rules() for metric in metrics_in(rule["expr"])}
        assert asked <= {subject}, subject
