"""Routes that no alert can take or that could never send are refused, with what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from components.catalogue import all_alerts
from components.config import StackFileError
from components.config.route_checks import team_notes
from components.config.routing import Route
from tests.support import planned, stack

HOOK = {"type": "webhook", "url": "http://hook.example.com/"}


def alerting(*routes: dict[str, Any], **intervals: Any) -> dict[str, Any]:
    return {
        "channels": {"a": HOOK},
        "routes": [{"channels": ["a"], **route} for route in routes],
        "time_intervals": intervals,
    }


def error_of(route: dict[str, Any], **intervals: Any) -> str:
    with pytest.raises(StackFileError) as caught:
        stack(alerting=alerting(route, **intervals))
    return str(caught.value).removeprefix("stacks/Pulumi.test.yaml: 1 problem\n  alerting.routes[0].")


@pytest.mark.parametrize(
    ("label", "value", "known", "hint"),
    [
        ("severity", "critcal", "; there are none, warning, critical, emergency", "did you mean critical?"),
        ("severity", "info", "; there are none, warning, critical, emergency", ""),
        (
            "category",
            "performanc",
            "; there are availability, backup, business, compliance, ",
            "did you mean performance?",
        ),
        ("category", "", "; there are availability, ", ""),
        ("alertname", "ServiceDwon", "; docs/guide/alerts.md lists them all", "did you mean ServiceDown?"),
        ("alertname", "Nope", "; docs/guide/alerts.md lists them all", ""),
    ],
)
@pytest.mark.parametrize("key", ["match", "not_match"])
def test_values_that_a_label_never_has(key: str, label: str, value: str, known: str, hint: str) -> None:
    text = error_of({key: {label: value}})
    shown = value or '""'
    assert text.startswith(f"{key}.{label} (is {shown}): no alert of the catalogue has this {label}{known}")
    assert text.partition("\n      hint: ")[2] == hint
    among = {"severity": "critical", "category": "security", "alertname": "TargetDown"}[label]
    assert error_of({key: {label: [among, value]}}) == text


def test_every_value_that_the_catalogue_has_is_taken() -> None:
    labels = [rule["labels"] for file in all_alerts().values() for rule in file.rules() if "alert" in rule]
    values = {label: sorted({each[label] for each in labels}) for label in ("severity", "category")}
    stack(alerting=alerting({"match": {**values, "alertname": sorted(all_alerts()), "zone": "any"}}))


def test_what_must_and_must_not_be_at_once() -> None:
    both = {"match": {"team": ["a", "b"], "zone": "x"}, "not_match": {"team": "b", "zone": "y"}}
    assert error_of(both) == "not_match.team (is b): is in match, too: no alert is both"
    stack(alerting=alerting({"match": {"team": "a"}, "not_match": {"team": "b"}}))


DAY = [{"start_time": "08:00", "end_time": "20:00"}]
NIGHT = [{"start_time": "00:00", "end_time": "08:00"}, {"start_time": "20:00", "end_time": "24:00"}]


@pytest.mark.parametrize(
    "intervals",
    [
        {"w": [{"weekdays": ["sunday:saturday"]}]},
        {"w": [{"weekdays": ["sunday", "monday:friday"]}, {"weekdays": ["saturday"]}]},
        {"w": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]},
        {"w": [{"times": DAY}], "v": [{"times": NIGHT}]},
    ],
)
def test_a_mute_of_the_whole_week(intervals: dict[str, Any]) -> None:
    text = error_of({"match": {"team": "a"}, "mute": [*intervals]}, **intervals)
    assert text.startswith(f"mute (is {', '.join(intervals)}): covers the whole week: nothing would ever be sent\n")


@pytest.mark.parametrize(
    "entries",
    [
        [{"weekdays": ["monday:saturday"]}],
        [{"weekdays": ["sunday:saturday"], "months": ["june"]}],
        [{"weekdays": ["sunday:saturday"], "times": DAY}],
        [{"times": [{"start_time": "00:00", "end_time": "23:59"}]}],
        [{"times": DAY}, {"times": NIGHT, "location": "Europe/Berlin"}],
    ],
)
def test_a_mute_that_leaves_a_minute(entries: list[dict[str, Any]]) -> None:
    stack(alerting=alerting({"match": {"team": "a"}, "mute": ["w"]}, w=entries))
    # Outside of it nothing is sent; always active is no loss.
    stack(alerting=alerting({"match": {"team": "a"}, "active": ["w"]}, w=[{"weekdays": ["sunday:saturday"]}]))


def test_teams_that_own_nothing_are_a_note() -> None:
    routes = [Route.model_validate({"match": {"team": ["paymnts", "web"]}, "channels": ["a"]})]
    routes += [Route.model_validate({"not_match": {"team": "x"}, "channels": ["a"]})]
    assert team_notes(routes, ["payments", "web"]) == [
        "alerting.routes[0].match: team paymnts owns no service or probe here; did you mean payments?",
        "alerting.routes[1].not_match: team x owns no service or probe here",
    ]


def test_the_notes_of_a_plan_name_them() -> None:
    notes = planned(stack(alerting=alerting({"match": {"team": ["platform", "platfrom"]}}))).notes
    assert "alerting.routes[0].match: team platfrom owns no service or probe here; did you mean platform?" in notes
