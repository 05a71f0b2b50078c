"""Which alerts silence which; the pairs of the rule files name what exists."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.catalogue import all_alerts
from components.services.alertmanager_inhibitions import catalogue_pairs, inhibit_rules, targets_of
from components.yaml_text import load
from tests.support import data, planned, service, stack


def test_a_worse_alert_silences_the_milder_ones_about_the_same_thing() -> None:
    rules = inhibit_rules([])[:2]
    assert [(rule["source_matchers"], rule["target_matchers"]) for rule in rules] == [
        (['severity="emergency"', 'drill=""'], ['severity=~"critical|warning"']),
        (['severity="critical"', 'drill=""'], ['severity=~"warning"']),
    ]
    assert all(rule["equal"] == ["alertname", "service", "instance"] for rule in rules)


def test_pairs_of_the_rule_files_silence_by_name_where_the_labels_are_there() -> None:
    (one,) = inhibit_rules([{"source": "Worse", "target": "Mild", "equal": ["instance", "device"]}])[2:]
    assert one == {
        "source_matchers": ['alertname="Worse"', 'drill=""'],
        "target_matchers": ['alertname="Mild"', 'instance!=""', 'device!=""'],
        "equal": ["instance", "device"],
    }
    (several,) = inhibit_rules([{"source": "Worse", "target": ["Mild", "Slow"], "equal": ["service"]}])[2:]
    assert several["target_matchers"] == ['alertname=~"Mild|Slow"', 'service!=""']
    assert (
        len(data(service(planned(stack()), "alertmanager"), "alertmanager.yml")["inhibit_rules"])
        == 2 + len(catalogue_pairs())
        > 3
    )


@pytest.mark.parametrize("pair", catalogue_pairs(), ids=lambda pair: pair["source"])
def test_a_pair_of_the_catalogue_names_alerts_that_exist_and_labels_that_they_have(pair: dict[str, Any]) -> None:
    """A name or label that is none would silence nothing, and nobody would know."""
    assert {*pair} == {"source", "target", "equal"}
    labels = labels_in_tests()
    for name in (pair["source"], *targets_of(pair)):
        assert name in all_alerts(), f"{name} is no alert of the catalogue"
        assert labels[name], f"no test of {name} says which labels it has"
        for each in labels[name]:
            assert {*pair["equal"]} <= {*each}, f"{name} has only {', '.join(each)}"
    assert pair["source"] not in targets_of(pair)
    order = ("none", "warning", "critical", "emergency")
    worst = order.index(severity_of(pair["source"]))
    assert all(order.index(severity_of(name)) <= worst for name in targets_of(pair)), "a milder one must not silence"


def test_a_channel_that_is_down_silences_only_warnings_about_itself() -> None:
    """Another channel of its kind may fail for another reason."""
    (pair,) = (pair for pair in catalogue_pairs() if pair["source"] == "AlertmanagerIntegrationDown")
    assert pair["equal"] == ["instance", "receiver_name", "integration"]


def test_a_lost_quorum_pages_once() -> None:
    """The nodes that are down, and the service that they make up, are the same cause."""
    (pair,) = (pair for pair in catalogue_pairs() if pair["source"] == "CassandraQuorumAtRisk")
    assert pair["target"] == ["CassandraNodeDown", "APILowAvailability"]
    assert pair["equal"] == ["service"]


def severity_of(alert: str) -> str:
    (found,) = {str(rule["labels"]["severity"]) for rule in all_alerts()[alert].rules() if rule.get("alert") == alert}
    return found


@cache
def labels_in_tests() -> dict[str, list[dict[str, str]]]:
    """Alert to the labels that it has wherever a promtool test sees it fire."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in (Path(__file__).parents[1] / "rules").glob("*.yaml"):
        for test in load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                found[case["alertname"]] += [alert["exp_labels"] for alert in case.get("exp_alerts") or ()]
    return found
