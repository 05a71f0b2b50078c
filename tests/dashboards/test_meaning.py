"""What dashboards say fits what the alerts do, what a stack has, and where their links lead."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dashboards
from components.catalogue import (
    DERIVED,
    EVERYWHERE,
    EXPOSED,
    METRICS,
    VICTORIA_NODES,
    all_alerts,
    exposed_series,
    rule_file,
    rule_subjects,
)
from components.config.stack import THANOS
from components.config.storage import VICTORIA_CLUSTER
from components.parameters import Limits
from components.promql import metrics_in
from components.rules import StackLimits, settled_groups
from tests.dashboards.test_dashboards import BUILT, EVERY_DASHBOARD, asked, panels, with_values
from tests.rules.recorded import RECORDED_BY_THE_STACK

ALWAYS = {"prometheus", "alertmanager"}
"""Products that every stack has."""
SPOKEN_OF = {"slo": "objective", "apiserver": "api server", "blackbox-exporter": "blackbox exporter"}
"""How a description names a subject, where it is not by its name."""


def subject_of() -> dict[str, str]:
    """The subject of every series: it exposes it, or its rules record it."""
    found = {series: path.stem for path in METRICS.iterdir() for series in exposed_series(path.stem)}
    found |= {series: VICTORIA_NODES for name in VICTORIA_CLUSTER for series in exposed_series(name)}
    found |= dict.fromkeys(exposed_series("victoria-metrics"), "victoria-metrics")
    for subject in rule_subjects():
        file = rule_file(subject)
        assert file
        found |= {rule["record"]: subject for rule in file.rules() if "record" in rule}
    found |= {record: "slo" if record.startswith("slo:") else "services" for record in RECORDED_BY_THE_STACK}
    found |= {series: "blackbox-exporter" for series, subject in found.items() if subject == "probe"}
    return found | dict.fromkeys(exposed_series(EVERYWHERE), EVERYWHERE)


SUBJECT_OF = subject_of()


def with_rows(name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each panel with the title of its row."""
    row = ""
    for panel in BUILT[name]["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        else:
            yield panel, row


@EVERY_DASHBOARD
def test_what_a_dashboard_needs_is_what_it_asks_for(name: str) -> None:
    """A panel on something that its stack may not have says so; without that it is taken for broken."""
    module = dashboards.load(name)
    given = {*module.NEEDS, *ALWAYS, EVERYWHERE} | ({"services"} if module.NEEDS & {*EXPOSED, *DERIVED} else set())
    asked = set()
    for panel, row in with_rows(name):
        subjects = {SUBJECT_OF[m] for target in panel["targets"] for m in metrics_in(with_values(target["expr"]))}
        asked |= subjects
        said = f"{panel['description']} {row}".lower()
        silent = {subject for subject in subjects - given if SPOKEN_OF.get(subject, subject) not in said}
        assert not silent, f"{panel['title']} needs {silent}, but neither NEEDS nor its text says so"
    assert asked | {"services"} >= module.NEEDS, "a subject that no panel asks for"
    assert asked >= module.ONE_OF


class NumberedLimits:
    """Another number for each parameter of each alert, so that a line can be traced back to where it is from."""

    def __init__(self) -> None:
        self.numbers: dict[float, str] = {}

    def __call__(self, alert: str, parameter: str = "threshold") -> float:
        """Between 0.1 and 0.5, so that what is left to 1 is none of the others."""
        assert parameter in all_alerts()[alert].parameters[alert]
        number = round(0.1 + 0.001 * len(self.numbers), 3)
        self.numbers[number] = alert
        return number


@EVERY_DASHBOARD
def test_lines_stand_where_the_alerts_that_they_name_fire(name: str) -> None:
    """A stack that moves an alert moves its line, and a reader learns which alert it is."""
    limits = NumberedLimits()
    board = dashboards.load(name).build(limits)
    lines = limits.numbers | {round(1 - number, 3): alert for number, alert in limits.numbers.items()}
    drawn = set()
    for panel in board["panels"]:
        if panel["type"] in ("row", "heatmap"):
            continue
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]
        by_alert = {lines[round(step["value"], 3)] for step in steps if round(step["value"], 3) in lines}
        named = {word for word in re.findall(r"\w+", panel["description"]) if word in all_alerts()}
        fixed = {
            alert for alert in named - by_alert if "threshold" not in all_alerts()[alert].parameters.get(alert, {})
        }
        assert by_alert | fixed == named, panel["title"]
        drawn |= by_alert
    assert drawn == set(limits.numbers.values())


def test_a_stack_s_own_number_moves_the_line() -> None:
    """As the stack file writes it; what is left to 1 of it, where the panel shows the other side."""
    limits = StackLimits({"APIHighErrorRate": {"threshold": "2%"}, "DiskSpaceLow": {"threshold": 0.2}})
    assert _steps("api-overview", "Error rate", limits) == [0.02]
    assert _steps("node", "Space taken", limits) == [0.8, 0.95]


def _steps(name: str, title: str, limits: Limits) -> list[float]:
    panel = next(one for one in dashboards.load(name).build(limits)["panels"] if one["title"] == title)
    return [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]


@EVERY_DASHBOARD
def test_links_lead_to_dashboards_that_the_stack_has(name: str) -> None:
    """With a filter that the other dashboard knows; a link to what may be missing names what it needs."""
    module = dashboards.load(name)
    by_uid = {dashboards.load(other).UID: other for other in dashboards.CATALOGUE}
    for panel, row in with_rows(name):
        for uid, variable in re.findall(r"/d/([a-z0-9-]+)\?var-(\w+)=", json.dumps(panel)):
            target = dashboards.load(by_uid[uid])
            assert variable in [one["name"] for one in BUILT[by_uid[uid]]["templating"]["list"]]
            said = f"{panel['description']} {row}".lower()
            given = module.NEEDS | ALWAYS | ({"services"} if module.NEEDS & {*EXPOSED, *DERIVED} else set())
            given |= {one for one in {*target.NEEDS, *target.ONE_OF} if SPOKEN_OF.get(one, one) in said}
            assert dashboards.belongs(target, given), panel["title"]


@EVERY_DASHBOARD
def test_traces_are_one_click_away(name: str) -> None:
    """Where a panel promises traces, exactly one query brings them, from a histogram: recorded series have none."""
    for panel in panels(name):
        with_exemplars = [target["expr"] for target in panel["targets"] if target.get("exemplar")]
        assert len(with_exemplars) == ("leads to its trace" in panel["description"]), panel["title"]
        assert all("_bucket{" in expression for expression in with_exemplars)


def test_services_lead_from_the_overview_to_detail_to_traces() -> None:
    """The way of somebody who is woken: all services, one service, one request."""
    assert "/d/api-overview?var-service=${__field.labels.service}" in json.dumps(BUILT["red"])
    assert any(target.get("exemplar") for panel in panels("api-overview") for target in panel["targets"])


@pytest.mark.parametrize("alert", all_alerts())
def test_an_alert_s_dashboard_is_there_when_the_alert_is(alert: str) -> None:
    """Whatever else the stack has: the subject of the alert is enough."""
    file = all_alerts()[alert]
    on = {file.subject, *ALWAYS} | ({"services"} if file.subject in (*EXPOSED, *DERIVED) else set())
    on |= {"thanos"} if file.subject in THANOS else set()
    on |= {"victoria-metrics"} if file.subject == VICTORIA_NODES else set()
    rule = next(rule for rule in file.rules() if rule.get("alert") == alert)
    linked = [name for name in dashboards.CATALOGUE if rule["annotations"]["dashboard"] == dashboards.load(name).UID]
    assert linked
    assert dashboards.belongs(dashboards.load(linked[0]), on)


@pytest.mark.parametrize(
    ("on", "shown"),
    [
        ({"services", "http"}, True),
        ({"services", "cache"}, True),
        ({"services"}, False),
        ({"http"}, False),
    ],
)
def test_a_dashboard_belongs_to_stacks_that_have_its_subjects(on: set[str], shown: bool) -> None:
    """All of NEEDS, and one of ONE_OF."""
    assert dashboards.belongs(dashboards.load("golden-signals"), on) is shown


def test_starts_are_marked() -> None:
    """A deployment starts a process: Grafana takes the value in milliseconds for the moment."""
    for name in ("api-overview", "red", "golden-signals", "node", "containers", "stack"):
        mark = BUILT[name]["annotations"]["list"][0]
        assert (mark["name"], mark["enable"], mark["useValueForTime"]) == ("Starts", True, True)
        assert mark["expr"].endswith(" * 1000")
        assert mark["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_guide_s_table_is_current() -> None:
    """Names, titles, folders and what they need: a line for each dashboard."""
    lines = []
    for name in dashboards.CATALOGUE:
        module = dashboards.load(name)
        needed = [f"`{one}`" for one in sorted(module.NEEDS)]
        needed += [f"one of {', '.join(f'`{one}`' for one in sorted(module.ONE_OF))}"] if module.ONE_OF else []
        lines.append(f"| `{name}` | {module.TITLE} | {module.FOLDER} | {', and '.join(needed) or '-'} |")
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "dashboards.md").read_text()
    table = guide.partition("| --- | --- | --- | --- |\n")[2].partition("\n\n")[0]
    assert table.splitlines() == lines


NOT_DRAWN = {
    # What they tell is that a target is not there at all, and so nothing on their dashboard is.
    "BlackboxExporterAbsent",
    "CadvisorAbsent",
    "NodeExporterAbsent",
    # Still to be drawn.
    "AuraLeaderMissing",
    "DataPipelineSilent",
    "HostClockNotSynchronised",
}


def _recorded_from() -> dict[str, set[str]]:
    """Recorded series of the catalogue to what their rules ask for."""
    found: dict[str, set[str]] = {}
    for subject in rule_subjects():
        file = rule_file(subject)
        assert file
        for rule in file.rules():
            if "record" in rule:
                found.setdefault(rule["record"], set()).update(metrics_in(rule["expr"]))
    return found


def _with_sources(series: set[str], recorded: dict[str, set[str]]) -> set[str]:
    """The series, and all those that they are recorded from."""
    found: set[str] = set()
    waiting = set(series)
    while waiting:
        one = waiting.pop()
        found.add(one)
        waiting |= recorded.get(one, set()) - found
    return found


def test_every_alert_leads_to_a_dashboard_that_draws_what_it_asks_for() -> None:
    """Also through recorded series; of several that an alert compares, one is enough."""
    recorded = _recorded_from()
    drawn = {
        BUILT[name]["uid"]: _with_sources(
            {metric for _, target in asked(name) for metric in metrics_in(with_values(target["expr"]))}, recorded
        )
        for name in dashboards.CATALOGUE
    }
    missing = set()
    for subject in rule_subjects():
        file = rule_file(subject)
        assert file
        for group in settled_groups(file, {}):
            for rule in group["rules"]:
                needed = _with_sources(set(metrics_in(rule["expr"])), recorded) if "alert" in rule else set()
                if needed and not needed & drawn[rule["annotations"]["dashboard"]]:
                    missing.add(rule["alert"])
    assert missing == NOT_DRAWN
