"""Checks of Prometheus: targets, rules, queries, its Alertmanager, and whether it runs what is planned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from components.config.base import seconds
from components.services.alertmanager_routes import VERIFICATION
from components.spec import Plan
from components.yaml_text import load
from operations.consistency import scrape_jobs
from operations.differences import differences
from operations.operated import as_planned, is_operated, job_of, rule_file_of
from operations.running import UPDATE, Check, CheckFailed, FailedForGood, NotChecked, Running

NAME = "prometheus"
_SHOWN = 10
"""Findings that are listed; more would bury the rest of the report."""
RESENT = 60.0
"""Seconds after which a firing alert is sent again: Prometheus' `--rules.alert.resend-delay`, left at its default."""


def listed(findings: list[str]) -> str:
    """The first findings, a line each, and how many more there are."""
    more = [f"and {len(findings) - _SHOWN} more"] if len(findings) > _SHOWN else []
    return "\n".join([*islice(findings, _SHOWN), *more])


def planned_rules(plan: Plan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File, group and rule of each planned rule."""
    service = plan.service(NAME)
    for file in service.files if service else ():
        if file.path.startswith("rules/"):
            for group in load(file.content)["groups"]:
                for rule in group["rules"]:
                    yield file.path, group["name"], rule


def ready(running: Running) -> str:
    """Prometheus has read its data and serves."""
    running.endpoint(NAME).get("/-/ready")
    return running.endpoint(NAME).url


def every_target_up(running: Running) -> str:
    """Each planned job has a target, and each target of it was scraped with success."""
    active = running.endpoint(NAME).prometheus("/api/v1/targets", state="active")["activeTargets"]
    problems, count = [], 0
    for job in (job["job_name"] for job in scrape_jobs(running.plan)):
        targets = [target for target in active if job_of(running.config, target["scrapePool"]) == job]
        count += len(targets)
        if not targets:
            problems.append(f"{job}: has no target")
        for target in targets:
            if target["health"] == "unknown":
                problems.append(f"{job}: {target['scrapeUrl']} has not been scraped yet")
            elif target["health"] != "up":
                problems.append(f"{job}: {target['scrapeUrl']} is {target['health']}: {target['lastError']}")
    if problems:
        raise CheckFailed(
            listed(problems),
            "a program of the stack: see `docker ps -a` and its log; a service of yours: can Prometheus reach its "
            "address, and are path, port and login right in the stack file?",
        )
    return f"{count} targets in {len(scrape_jobs(running.plan))} jobs"


def every_rule_healthy(running: Running) -> str:
    """Each rule was evaluated without an error."""
    groups = running.endpoint(NAME).prometheus("/api/v1/rules")["groups"]
    rules = [(group["name"], rule) for group in groups for rule in group["rules"]]
    problems = [
        f"{group}: {rule['name']}: {rule.get('lastError') or 'not evaluated yet'}"
        for group, rule in rules
        if rule["health"] != "ok"
    ]
    if problems:
        raise CheckFailed(
            listed(problems),
            "a new stack needs one evaluation interval; else correct the rule in rules/ and deploy again",
        )
    planned = len(list(planned_rules(running.plan)))
    if len(rules) < planned:
        raise CheckFailed(f"{planned} rules are planned, {len(rules)} are loaded", UPDATE)
    return f"{len(rules)} rules in {len(groups)} groups"


def query_answers(running: Running) -> str:
    """A query over stored samples has a result."""
    data = running.endpoint(NAME).prometheus("/api/v1/query", query="count(up)")
    value = float(data["result"][0]["value"][1]) if data["result"] else math.nan
    if not value >= 1:
        raise CheckFailed("no sample is stored yet: count(up) is empty", "see the log: docker logs, is the disk full?")
    return f"count(up) is {value:g}"


def knows_alertmanager(running: Running) -> str:
    """Prometheus sends its alerts to each planned Alertmanager."""
    planned = _alertmanagers(running.plan)
    if not planned:
        raise NotChecked("no Alertmanager is planned")
    active = running.endpoint(NAME).prometheus("/api/v1/alertmanagers")["activeAlertmanagers"]
    urls = [manager["url"] for manager in active]
    missing = [address for address in planned if not any(f"//{address}/" in url for url in urls)]
    if missing:
        detail = f"Prometheus does not send to {', '.join(missing)}; it sends to {', '.join(urls) or 'none'}"
        raise CheckFailed(detail, UPDATE)
    return ", ".join(planned)


def _alertmanagers(plan: Plan) -> list[str]:
    found = []
    for manager in _planned_configuration(plan).get("alerting", {}).get("alertmanagers") or []:
        for group in manager.get("static_configs") or []:
            found += group["targets"]
    return found


def no_notification_fails(running: Running) -> str:
    """No channel has failed in the last minutes, and Prometheus gets rid of its alerts."""
    query = "sum by (receiver_name, integration) (increase(alertmanager_notifications_failed_total[5m])) > 0"
    planned = planned_receivers(running.plan)
    failing = [
        f"channel {metric['receiver_name']} ({metric.get('integration', '?')})"
        for metric in _metrics(running, query)
        # Others are an earlier configuration's, which Prometheus still remembers.
        if metric.get("receiver_name") in planned
    ]
    if failing:
        raise FailedForGood(
            f"notifications failed in the last 5 minutes: {', '.join(failing)}",
            "see Alertmanager's log for the reason; is the channel's secret still valid, and can it be reached?",
        )
    scrape = running.config.scrape
    # The next attempt is made with the first evaluation after that time, and seen by a scrape.
    turn = RESENT + seconds(scrape.evaluation_interval or scrape.interval) + 2 * seconds(scrape.interval)
    _alerts_arrive(running, f"{turn:.0f}s")
    return "none in 5 minutes"


def _alerts_arrive(running: Running, recent: str) -> None:
    """Firing alerts are sent again: what failed before, while Alertmanager started, has arrived since."""
    query = (
        f"sum by (alertmanager) (increase(prometheus_notifications_errors_total[{recent}])) > 0"
        f" or sum by (job) (increase(prometheus_notifications_dropped_total[{recent}])) > 0"
    )
    failing = sorted({metric.get("alertmanager", "Alertmanager") for metric in _metrics(running, query)})
    if failing:
        raise CheckFailed(
            f"notifications failed in the last {recent}: Prometheus to {', '.join(failing)}",
            "does Alertmanager answer? Prometheus' log has the reason\n"
            "right after a start of Alertmanager this passes by itself once the alerts were sent again",
        )


def _metrics(running: Running, query: str) -> list[dict[str, str]]:
    found = running.endpoint(NAME).prometheus("/api/v1/query", query=query)["result"]
    return [series["metric"] for series in found]


def planned_receivers(plan: Plan) -> set[str]:
    """Names of Alertmanager's receivers, but that of `verify`: it is no channel, and its own check tells of it."""
    service = plan.service("alertmanager")
    files = [file for file in service.files if file.path == "alertmanager.yml"] if service else []
    return {each["name"] for file in files for each in load(file.content)["receivers"]} - {VERIFICATION}


def _planned_configuration(plan: Plan) -> dict[str, Any]:
    service = plan.service(NAME)
    for file in service.files if service else ():
        if file.path == "prometheus.yml":
            return dict(load(file.content))
    return {}


def runs_planned_configuration(running: Running) -> str:
    """What Prometheus runs is what the stack file asks for now."""
    endpoint = running.endpoint(NAME)
    planned, actual = _planned_configuration(running.plan), load(endpoint.prometheus("/api/v1/status/config")["yaml"])
    if is_operated(running.config):
        actual = as_planned(running.config, planned, actual)
    found = list(differences(planned, actual))
    if found:
        raise FailedForGood(listed(found), UPDATE)
    if not endpoint.prometheus("/api/v1/status/runtimeinfo").get("reloadConfigSuccess", True):
        raise FailedForGood("the last reload was rejected; Prometheus runs with the configuration before it", UPDATE)
    return "prometheus.yml"


def runs_planned_rules(running: Running) -> str:
    """Every planned rule is loaded with its expression, delay, labels and annotations; and no other."""
    endpoint = running.endpoint(NAME)
    groups = endpoint.prometheus("/api/v1/rules")["groups"]
    actual = {
        (rule_file_of(running.config, group["file"]), group["name"], index): rule
        for group in groups
        for index, rule in enumerate(group["rules"])
    }
    counters: dict[tuple[str, str], int] = {}
    problems = []
    for path, group, rule in planned_rules(running.plan):
        place = (path.rpartition("/")[2], group)
        index = counters[place] = counters.get(place, -1) + 1
        name = rule.get("alert") or rule["record"]
        loaded = actual.pop((*place, index), None)
        if loaded is None or loaded["name"] != name:
            problems.append(f"{path}: {name} is not loaded")
        else:
            problems += [f"{path}: {name}: another {part} runs" for part in _changed(endpoint, rule, loaded)]
    problems += [f"rules/{file}: {rule['name']} runs, but is not planned" for (file, _, _), rule in actual.items()]
    if problems:
        raise FailedForGood(listed(problems), UPDATE)
    return f"{sum(counters.values()) + len(counters)} rules"


def _changed(endpoint: Any, planned: dict[str, Any], loaded: dict[str, Any]) -> Iterator[str]:
    if not _same_expression(endpoint, planned["expr"], loaded["query"]):
        yield "expression"
    for key, answered in (("for", "duration"), ("keep_firing_for", "keepFiringFor")):
        if "alert" in planned and seconds(str(planned.get(key, "0s"))) != float(loaded.get(answered) or 0):
            yield f"`{key}`"
    for key in ("labels", "annotations"):
        if (planned.get(key) or {}) != (loaded.get(key) or {}):
            yield key.removesuffix("s")


def _same_expression(endpoint: Any, planned: Any, loaded: str) -> bool:
    """Prometheus answers with its own spelling; where that differs, it is asked to spell both the same way."""
    text = " ".join(str(planned).split())
    if text == loaded:
        return True
    one, other = (endpoint.prometheus("/api/v1/format_query", query=query) for query in (text, loaded))
    return bool(one == other)


CHECKS = (
    Check("prometheus answers", ready, answers=NAME),
    Check("every target is up", every_target_up, (NAME,)),
    Check("every rule is healthy", every_rule_healthy, (NAME,)),
    Check("a query answers", query_answers, (NAME,)),
    Check("prometheus sends to alertmanager", knows_alertmanager, (NAME,)),
    Check("no notification fails", no_notification_fails, (NAME,)),
    Check("prometheus runs the planned configuration", runs_planned_configuration, (NAME,)),
    Check("prometheus runs the planned rules", runs_planned_rules, (NAME,)),
)
