"""Two plans compared: nothing where they are the same, and every kind of change by its values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from operations.report.change import DANGERS, SECTIONS, Change
from operations.report.compare import compared
from operations.report.markdown import markdown
from operations.report.report import Report, Reports
from operations.report.snapshot import Snapshot, of_plan
from operations.report.terminal import lines
from tests.support import GENERATED, STACKS, changed, config_of, parse_stack, plan_of, planned

ALL = (*STACKS, *GENERATED)


def snapshot(name: str) -> Snapshot:
    return of_plan(config_of(name), plan_of(name))


def of(stack: dict[str, Any], **changes: Any) -> Snapshot:
    config = parse_stack(changed(stack, **changes), "stacks/Pulumi.test.yaml")
    return of_plan(config, planned(config))


@pytest.mark.parametrize("name", ALL)
def test_a_plan_against_itself_is_empty(name: str) -> None:
    found = snapshot(name)
    assert compared(found, found) == []
    assert compared(found, Snapshot.model_validate_json(found.model_dump_json())) == []


@pytest.mark.parametrize(("one", "other"), [*itertools.pairwise(ALL), *itertools.pairwise(reversed(ALL))])
def test_any_two_plans_can_be_compared(one: str, other: str) -> None:
    """What one direction adds, the other removes; every change has a section, and shows in every form."""
    before, after = snapshot(one), snapshot(other)
    found = compared(before, after)
    assert found
    assert {change.section for change in found} <= {*SECTIONS}
    assert {change.danger for change in found} <= {*DANGERS, ""}
    assert [change for change in found if not change.name or not change.what] == []
    back = compared(after, before)
    for section in ("alerts", "scraping", "programs"):
        added = {change.name for change in found if (change.section, change.what) == (section, "added")}
        removed = {change.name for change in back if (change.section, change.what) == (section, "removed")}
        assert added == removed
    reports = Reports("main", (Report(other, after.environment, tuple(found)),))
    assert len(markdown(reports)) < 65_536
    assert len(list(lines(reports))) > len(found)


def told(found: list[Change]) -> set[tuple[str, ...]]:
    return {(change.name, change.what, change.before, change.after, change.danger) for change in found}
