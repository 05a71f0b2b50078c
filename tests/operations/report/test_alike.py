"""The same substitution in many expressions is one line for people, and every change of its own for scripts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operations.report.alike import substitution, told_together
from operations.report.change import Change
from operations.report.compare import compared
from operations.report.report import Report, Reports, as_json
from operations.report.snapshot import of_plan
from operations.report.terminal import lines
from tests.support import planned, stack

_EU = {"name": "eu", "url": "https://prometheus.eu.example.com"}
_US = {"name": "us", "url": "https://prometheus.us.example.com"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("up == 0", 'up{region!~"eu"} == 0', 'now also ask for region!~"eu"'),
        ('up{region!~"eu", a="b"} == 0', 'up{a="b"} == 0', 'no longer ask for region!~"eu"'),
        ('up{a="b"}', 'up{a="c"}', 'ask for a="c" instead of a="b"'),
        ('a{x="{}"} / b', 'a{x="{}", e="}"} / b{e="}"}', 'now also ask for e="}"'),
        # One of two selectors is enough, two ways of changing are not.
        ("rate(a[5m]) / b", 'rate(a{e="1"}[5m]) / b', 'now also ask for e="1"'),
        ("a / b", 'a{e="1"} / b{e="2"}', ""),
        # Anything else that changed has to be seen.
        ("up == 0", 'up{e="1"} == 1', ""),
        ("up == 0", 'down{e="1"} == 0', ""),
        ("sum by (a) (up)", 'sum by (b) (up{e="1"})', ""),
        ('label_replace(up, "a", "{x}", "b", "")', 'label_replace(up{e="1"}, "a", "{y}", "b", "")', ""),
        ("up ==", "up == 0", ""),
    ],
)
def test_what_became_of_the_selectors(before: str, after: str, expected: str) -> None:
    assert substitution(before, after) == expected


def _report(before: list[dict[str, str]], after: list[dict[str, str]]) -> Report:
    sides = [of_plan(config, planned(config)) for config in (stack(federation=each) for each in (before, after))]
    return Report("dev", "dev", tuple(compared(*sides)))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [_EU], 'now also ask for region!~"eu"'),
        ([_EU], [], 'no longer ask for region!~"eu"'),
        ([_EU], [_EU, _US], 'ask for region!~"eu|us" instead of region!~"eu"'),
    ],
)
def test_federation_is_one_line_for_alerts_and_one_for_recording_rules(
    before: list[dict[str, str]], after: list[dict[str, str]], expected: str
) -> None:
    report = _report(before, after)
    told = [change for change in report.told if change.section in ("alerts", "recorded") and change.alike]
    assert [(change.section, change.what) for change in told] == [("alerts", expected), ("recorded", expected)]
    single = [change for change in report.changes if change.alike]
    alerts = [change for change in single if change.section == "alerts"]
    assert len(alerts) > 30
    assert told[0].name.startswith(f"{len(alerts)} alerts, such as ")
    assert {change.danger for change in alerts} == {told[0].danger} == {"changed-alerts"}
    # Nothing is missing for a script, and each danger is counted.
    answer = as_json(Reports("main", (report,)))["stacks"][0]
    assert len([change for change in answer["changes"] if change["alike"]]) == len(single)
    assert answer["dangers"]["changed-alerts"] == len(single)
    shown = list(lines(Reports("main", (report,))))
    assert len([line for line in shown if expected in line]) == 2
    assert shown[0] == f"dev: {len(report.changes)} changes against main"


def test_the_example_is_the_plainest_and_few_are_told_each() -> None:
    long, short = ("rate(x[5m]) > 1", "b"), ("up", "b")
    changes = [
        Change("alerts", name, "expression changed", *text, "changed-alerts", "now also ask")
        for name, text in zip("ABC", (long, short, long), strict=True)
    ]
    assert told_together(changes[:2]) == changes[:2]
    assert told_together(changes) == [
        Change("alerts", "3 alerts, such as B", "now also ask", *short, "changed-alerts", "now also ask")
    ]


def test_the_same_value_of_many_alerts_is_one_line() -> None:
    changes = [Change("alerts", name, "label team", "infra", "ops") for name in "ABCDE"]
    assert told_together(changes) == [Change("alerts", "A, B, C and 2 more", "label team", "infra", "ops")]
    # What is new or gone, and what is at risk, is named each.
    for change in (Change("alerts", "A", "added", "", "x"), Change("data", "v", "kept for less", "2d", "1d")):
        several = [replace(change, name=name) for name in "ABCD"]
        assert told_together(several) == several
