"""A stack's own numbers for alerts: checked by name and unit, and found in what is rendered."""

from __future__ import annotations

from typing import Any

import pytest

from components.catalogue import all_alerts
from components.config import StackFileError
from components.rules import StackLimits, chosen_groups, subjects_on
from tests.support import data, planned, service, stack

CHECKOUT: dict[str, Any] = {
    "name": "checkout",
    "team": "payments",
    "port": 8080,
    "discovery": {"static": {"targets": ["one"]}},
    "exposes": ["http"],
}


def error(alerts: Any) -> str:
    """The error of a stack with these settings."""
    with pytest.raises(StackFileError) as caught:
        stack(services=[CHECKOUT], alerts=alerts)
    return str(caught.value)


def alert(name: str, **settings: Any) -> dict[str, Any] | None:
    """The alert as it is deployed, if it is."""
    prometheus = service(planned(stack(services=[CHECKOUT], **settings)), "prometheus")
    rules = [
        rule
        for file in prometheus.files
        if file.path.startswith("rules/")
        for group in data(prometheus, file.path)["groups"]
        for rule in group["rules"]
    ]
    return next((rule for rule in rules if rule.get("alert") == name), None)


def test_a_number_of_a_stack_stands_in_expression_and_text() -> None:
    default, own = (
        alert("APIHighErrorRate"),
        alert("APIHighErrorRate", alerts={"APIHighErrorRate": {"threshold": "7%"}}),
    )
    assert default
    assert own
    assert "> 0.01" in default["expr"]
    assert "> 0.07" in own["expr"]
    assert "1%" in default["annotations"]["description"]
    assert "7%" in own["annotations"]["description"]
    assert default["for"] == own["for"] == "5m"


def test_duration_and_severity_of_a_stack() -> None:
    own = alert("APIHighErrorRate", alerts={"APIHighErrorRate": {"for": "42m", "severity": "warning"}})
    assert own
    assert (own["for"], own["labels"]["severity"]) == ("42m", "warning")
    assert list(own) == ["alert", "expr", "for", "labels", "annotations"]
    at_once = alert("TargetRestarting", alerts={"TargetRestarting": {"for": "1m"}})
    assert at_once
    assert at_once["for"] == "1m"


def test_an_alert_that_is_off_is_not_deployed() -> None:
    assert alert("HostMemoryLow")
    assert alert("HostMemoryLow", alerts={"HostMemoryLow": False}) is None
    assert alert("APIHighErrorRate", alerts={"HostMemoryLow": False})


def test_names_that_the_catalogue_does_not_have() -> None:
    text = error({"APIHighErorRate": False})
    assert "alerts.APIHighErorRate: is no alert of the catalogue" in text
    assert "did you mean APIHighErrorRate?" in text
    assert "docs/guide/alerts.md lists them all" in error({"Nothing": False})


def test_parameters_that_an_alert_does_not_have() -> None:
    text = error({"APIHighErrorRate": {"treshold": 0.1}})
    assert "alerts.APIHighErrorRate.treshold: is no parameter of this alert; allowed here: threshold" in text
    assert "for, severity" in text
    assert "did you mean threshold?" in text


def test_values_of_the_wrong_unit() -> None:
    text = error({"APIHighErrorRate": {"threshold": "500ms", "for": 5, "severity": "high"}})
    assert "alerts.APIHighErrorRate.threshold (is '500ms'): must be a ratio between 0 and 1, such as 0.02 or 2%" in text
    assert "hint: Share of" in text
    assert "alerts.APIHighErrorRate.for (is 5): must be a duration such as 5m" in text
    assert "alerts.APIHighErrorRate.severity (is 'high'): must be one of none, warning, critical, emergency" in text


@pytest.mark.parametrize("settings", [True, "on", "off", None, 5, [1]])
def test_settings_that_are_none(settings: Any) -> None:
    shown = "" if settings is None or isinstance(settings, list) else f" (is {settings!r})"
    assert error({"APIHighErrorRate": settings}) == (
        f"stacks/Pulumi.test.yaml: 1 problem\n  alerts.APIHighErrorRate{shown}: must be `off` without quotes, or a "
        "mapping such as {threshold: 2%, for: 10m}"
    )


def test_the_watchdog_is_on_where_somebody_waits_for_it() -> None:
    hook = {"type": "webhook", "url": "http://hook.example.com/"}
    alerting = {"channels": {"a": hook}, "dead_mans_switch": {"channel": "a"}}
    with pytest.raises(
        StackFileError, match=r"alerts.Watchdog \(is off\): is what alerting.dead_mans_switch waits for"
    ):
        stack(alerting=alerting, alerts={"Watchdog": False})
    stack(alerting=alerting, alerts={"HighCPUUsage": False})
    stack(alerts={"Watchdog": False})


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        (
            {"DiskSpaceLow": {"threshold": "3%"}},
            "DiskSpaceLow.threshold (is 3%): must be above the 5% of DiskSpaceCritical, which silences it",
        ),
        (
            {"DiskSpaceLow": {"threshold": "5%"}},
            "DiskSpaceLow.threshold (is 5%): must be above the 5% of DiskSpaceCritical, which silences it",
        ),
        (
            {"BackupStaleCritical": {"threshold": "1d"}},
            "BackupStaleCritical.threshold (is 1d): must be above the 1d1h of BackupStale, which it silences",
        ),
        (
            {"CertificateExpiryCritical": {"threshold": "30d"}, "CertificateExpiringSoon": {"threshold": "20d"}},
            (
                "CertificateExpiringSoon.threshold (is 20d): must be above the 30d of CertificateExpiryCritical, "
                "which silences it"
            ),
        ),
    ],
)
def test_of_two_alerts_on_one_value_the_one_that_silences_is_the_stricter(alerts: Any, said: str) -> None:
    assert error(alerts).split("\n  ", 1)[1] == f"alerts.{said}"


def test_two_alerts_on_one_value_may_be_anywhere_else() -> None:
    for alerts in (
        {"DiskSpaceLow": {"threshold": "6%"}},
        {"DiskSpaceLow": {"threshold": "3%"}, "DiskSpaceCritical": {"threshold": "2%"}},
        {"DiskSpaceLow": {"threshold": "3%"}, "DiskSpaceCritical": False},
        {"DiskSpaceCritical": {"threshold": "50%"}, "DiskSpaceLow": False},
    ):
        stack(alerts=alerts)
    assert "must be a ratio" in error({"DiskSpaceLow": {"threshold": 7}})


def test_the_catalogues_own_numbers_are_not_crossed() -> None:
    """Each alert with its own number, which says the same as nothing."""
    defaults = {
        alert: {"threshold": parameters["threshold"].default}
        for alert, file in all_alerts().items()
        if "threshold" in (parameters := file.parameters.get(alert, {}))
    }
    stack(alerts=defaults)


def test_limits_are_the_numbers_of_the_stack() -> None:
    assert StackLimits({})("APIHighErrorRate") == 0.01
    assert StackLimits({"APIHighErrorRate": {"threshold": "7%"}})("APIHighErrorRate", "threshold") == 0.07
    assert StackLimits({"APIHighErrorRate": False})("APIHighErrorRate") == 0.01
    with pytest.raises(KeyError):
        StackLimits({})("APIHighErrorRate", "nothing")


def test_rules_wait_for_nothing_that_nobody_exposes() -> None:
    without = chosen_groups(stack(services=[{**CHECKOUT, "exposes": []}]), {"prometheus"})
    assert "http" not in without
    # Half of a known set brings what the half can answer.
    half = {"http_requests_total": {"type": "counter", "labels": {"status_code": 5}}}
    some = chosen_groups(stack(services=[{**CHECKOUT, "exposes": [], "metrics": half}]), {"prometheus"})
    names = {rule.get("alert") for group in some["http"] for rule in group["rules"]}
    assert "APIHighErrorRate" in names
    assert "APIHighLatency" not in names


def test_a_set_is_there_when_all_of_it_that_needs_no_event_is_declared() -> None:
    both = {
        "http_requests_total": {"type": "counter", "labels": {"status_code": 5}},
        "http_request_duration_seconds": {"type": "histogram", "buckets": [0.5, 1]},
    }
    whole = stack(services=[{**CHECKOUT, "exposes": [], "metrics": both}])
    half = stack(
        services=[{**CHECKOUT, "exposes": [], "metrics": {"http_requests_total": both["http_requests_total"]}}]
    )
    assert subjects_on(whole, ["prometheus"]) == {"prometheus", "services", "http"}
    assert subjects_on(half, ["prometheus"]) == {"prometheus", "services"}
    assert "slo" in subjects_on(stack(services=[{**CHECKOUT, "objectives": {"availability": {"target": 0.99}}}]), [])
