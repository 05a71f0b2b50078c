"""What the running programs say of themselves: their configuration, and the silences of Alertmanager."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

from operations.checks import alertmanager, grafana, prometheus
from operations.drift.findings import Finding, Unchecked
from operations.drift.silences import planned_alerts, silence_findings
from operations.results import Status
from operations.running import CheckFailed, NotChecked, Running, run_checks
from operations.verify import planned_checks

CONFIGURATION: Mapping[Callable[[Running], str], str] = {
    prometheus.runs_planned_configuration: "prometheus",
    prometheus.runs_planned_rules: "prometheus",
    prometheus.knows_alertmanager: "prometheus",
    alertmanager.runs_planned_configuration: "alertmanager",
    grafana.dashboards_are_there: "grafana",
}
"""The checks of `verify` that compare what runs with what is planned, and the program that they ask."""


def configuration_findings(running: Running) -> Iterator[Finding | Unchecked]:
    """A finding for each line of a check that failed."""
    planned = planned_checks(running.plan, running.config)
    chosen = [check for check in planned if check.run in CONFIGURATION]
    needed = {name for check in chosen for name in check.needs}
    answering = [check for check in planned if check.answers in needed]
    subjects = {check.name: CONFIGURATION[check.run] for check in chosen}
    with closing(run_checks([*answering, *chosen], running)) as results:
        for result in results:
            subject = subjects.get(result.name)
            if result.status is Status.NOT_CHECKED and subject:
                yield Unchecked("configuration", f"{result.name}: {result.detail}")
            elif result.status is Status.FAILED and subject:
                yield from (Finding("configuration", subject, line) for line in result.detail.splitlines())


def alert_findings(running: Running) -> Iterator[Finding | Unchecked]:
    """The silences, with what they hide."""
    try:
        endpoint = running.endpoint("alertmanager")
        silences = running.until(lambda: endpoint.get_json("/api/v2/silences"))
        held_back = {"active": "false", "silenced": "true", "inhibited": "true"}
        alerts = running.until(lambda: endpoint.get_json("/api/v2/alerts", **held_back))
        yield from silence_findings(silences, alerts, planned_alerts(running.plan))
    except (CheckFailed, NotChecked) as error:
        yield Unchecked("silences", str(error))
