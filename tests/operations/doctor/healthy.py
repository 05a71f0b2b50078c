"""Facts of a healthy stack, which tests break in one place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.config import StackConfig
from components.spec import Plan
from operations.consistency import scrape_jobs
from operations.doctor.facts import Facts, Line, Program, Series
from operations.doctor.registry import DIAGNOSES
from operations.results import Result, Status
from operations.stored import used_metrics
from tests.support import ACCESS, planned, stack

NOW = 1_800_000_000.0
START = "2027-01-15T06:00:00.123456789Z"
"""Two hours before."""
SHOP = {
    "name": "shop",
    "team": "web",
    "port": 8080,
    "discovery": {"static": {"targets": ["shop-1"]}},
    "series_budget": 100,
}
CHANNELS = {
    "channels": {"chat": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"}},
    "default_channels": ["chat"],
}
CONFIG: StackConfig = stack(environment="dev", services=[SHOP], access=ACCESS, alerting=CHANNELS)
PLAN: Plan = planned(CONFIG)
GIBIBYTE = 2**30
WATCHDOG = {"labels": {"alertname": "Watchdog"}, "status": {"state": "active"}, "receivers": [{"name": "nobody"}]}


def target(job: str, address: str, **more: Any) -> dict[str, Any]:
    """An active target that is scraped well."""
    return {
        "scrapePool": job,
        "scrapeUrl": f"http://{address}/metrics",
        "health": "up",
        "lastError": "",
        "lastScrapeDuration": 0.01,
        "scrapeTimeout": "10s",
        **more,
    }


def program(**more: Any) -> Program:
    """A container that runs well."""
    return replace(Program("running", started=NOW - 7200, memory=GIBIBYTE // 8, memory_limit=GIBIBYTE), **more)


def said(*lines: str, ago: float = 5.0) -> tuple[Line, ...]:
    """A log with lines of a moment ago."""
    return tuple(Line(NOW - ago, line) for line in lines)


def series(value: float, **labels: str) -> Series:
    """One series of an answer."""
    return Series(labels, value)


def healthy() -> Facts:
    """A stack of which nothing is wrong."""
    targets = [
        target(job["job_name"], (job.get("static_configs") or [{"targets": ["shop-1:8080"]}])[0]["targets"][0])
        for job in scrape_jobs(PLAN)
    ]
    return Facts(
        config=CONFIG,
        plan=PLAN,
        stack="dev",
        now=NOW,
        platform_clock=NOW + 1,
        programs={service.name: program() for service in PLAN.services},
        answers={
            "targets": targets,
            "rules": [{"name": "own", "file": "/x/own.yaml", "rules": [{"name": "Own", "health": "ok"}]}],
            "runtime": {"startTime": START, "reloadConfigSuccess": True, "corruptionCount": 0},
            "tsdb": {
                "seriesCountByMetricName": [{"name": "shop_total", "value": 900}],
                "labelValueCountByLabelName": [{"name": "__name__", "value": 999}, {"name": "user", "value": 880}],
            },
            "names": ["up", *_every_metric()],
            "alerts": [WATCHDOG],
            "silences": [],
            "services": ["jaeger", "shop"],
        },
        queries={
            **{each.name: () for each in DIAGNOSES if each.query},
            "cardinality": (series(90, job="shop"), series(9000, job="prometheus")),
            "clock-skew": (series(0.01, instance="node-exporter:9100"),),
            "certificate-expiring": (series(NOW + 90 * 86400, instance="https://shop"),),
        },
        checks={name: Result(name, Status.OK) for name in ("every datasource works", "every dashboard is there")},
        certificates={"prometheus": NOW + 90 * 86400},
    )


def _every_metric() -> set[str]:
    return used_metrics(PLAN)


def with_answers(**answers: Any) -> Facts:
    """The healthy stack with other answers."""
    facts = healthy()
    return replace(facts, answers={**facts.answers, **answers})


def with_target(**more: Any) -> Facts:
    """The healthy stack with another target of the shop."""
    facts = healthy()
    targets = [each for each in facts.answers["targets"] if each["scrapePool"] != "shop"]
    return with_answers(targets=[*targets, target("shop", "shop-1:8080", **more)])


def down(error: str) -> Facts:
    """The healthy stack, whose shop cannot be scraped for this reason."""
    return with_target(health="down", lastError=error)


def with_query(name: str, *found: Series) -> Facts:
    """The healthy stack with another answer to a diagnosis' query."""
    facts = healthy()
    return replace(facts, queries={**facts.queries, name: found})


def with_program(name: str, **more: Any) -> Facts:
    """The healthy stack with another state of one container."""
    facts = healthy()
    return replace(facts, programs={**facts.programs, name: program(**more)})


def with_failed(check: str, detail: str) -> Facts:
    """The healthy stack, of which one check of `verify` failed."""
    facts = healthy()
    return replace(facts, checks={**facts.checks, check: Result(check, Status.FAILED, detail, "the remedy")})


def with_alert(**alert: Any) -> Facts:
    """The healthy stack with one more alert in Alertmanager."""
    whole = {
        "labels": {"alertname": "A", "severity": "critical"},
        "status": {"state": "active"},
        "receivers": [{"name": "chat"}],
    }
    return with_answers(alerts=[WATCHDOG, {**whole, **alert}])
