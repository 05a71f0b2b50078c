"""What is said of a running stack comes true: the series that an audit saves, the firings that a backtest finds."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.e2e.engine import until
from tests.e2e.stack import Stack

TWICE = {
    "name": "twice",
    "team": "web",
    "port": 9090,
    "discovery": {"static": {"targets": ["prometheus"]}},
    "drop": ["go_info"],
}
GONE = {"name": "gone", "team": "web", "port": 1, "discovery": {"static": {"targets": ["prometheus"]}}}


def answer(stack: Stack, command: str, *arguments: str) -> Any:
    """What a command prints as JSON; notes come before."""
    outcome = stack.project.run("./observatory", command, stack.environment, *arguments, "--json")
    assert outcome.code == 0, outcome
    return json.loads(outcome.output[outcome.output.index("{\n") :])


def series(stack: Stack, job: str) -> int:
    found = stack.query(f'count({{job="{job}",__name__!~"up|scrape_.+|ALERTS.*|.+:.+"}})')
    return int(found[0]["value"][1]) if found else 0


def settled(stack: Stack) -> tuple[Any, int] | None:
    """An audit, and the series of the job two scrapes later, once these are the same."""
    found = answer(stack, "audit")
    (job,) = [each for each in found["jobs"] if each["name"] == "twice"]
    scraped = stack.query('timestamp(up{job="twice"})')[0]["value"][1]
    until(lambda: float(stack.query('timestamp(up{job="twice"})')[0]["value"][1]) > float(scraped) + 2, "two scrapes")
    counted = series(stack, "twice")
    own = len(stack.query('{job="twice",__name__=~"up|scrape_.+|ALERTS.*|.+:.+"}'))
    return (found, counted) if job["series"] == counted + own else None


def test_an_audits_suggestion_saves_what_it_promises(stack: Stack) -> None:
    stack.configure(services=[TWICE])
    stack.up()
    stack.targets_up("twice")
    until(lambda: series(stack, "twice") > 300, "the first scrapes")
    # The program that is watched here is the very one that is asked: its first answers of each kind are new series.
    found, before = until(lambda: settled(stack), "an audit that leaves as many series as it has found")
    assert found["against"] == "prometheus of the stack"
    (suggestion,) = [each for each in found["suggestions"] if each["job"] == "twice"]
    assert suggestion["stack_file"]["drop"][0] == "go_info"
    assert suggestion["series"] > 100
    assert suggestion["samples_per_second"] == suggestion["series"] / 2, "every 2 s"

    stack.configure(services=[TWICE | {"drop": suggestion["stack_file"]["drop"]}])
    stack.up()
    wanted = before - suggestion["series"]
    until(lambda: 0 < series(stack, "twice") < before - suggestion["series"] / 2, "what is left out is stale")
    saved = before - series(stack, "twice")
    assert abs(saved - suggestion["series"]) <= 0.05 * suggestion["series"], (before, wanted, saved)
    # Every rule still has what it asks for.
    groups = stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"] == []


def test_a_backtest_finds_when_the_server_itself_fired(stack: Stack) -> None:
    folder = stack.project.folder
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=e2e", "-c", "user.email=e@e", "commit", "-qm", "e2e"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    stack.configure(services=[GONE], alerts__ServiceDown={"for": "7s"})
    stack.up()

    def fired() -> float | None:
        query = 'ALERTS{alertname="ServiceDown",alertstate="firing",service="gone"}[10m]'
        found = stack.get("prometheus", "/api/v1/query", query=query)["data"]["result"]
        return float(found[0]["values"][0][0]) if found else None

    first = until(fired, "the server's own alert")
    found = answer(stack, "backtest", "--days", "0.01")
    (alert,) = [each for each in found["alerts"] if each["alert"] == "ServiceDown"]
    assert alert["change"] in ("changed", "new")
    assert (found["complete"], alert["now"]["for"]) == (True, 7)
    (episode,) = [each for each in alert["now"]["episodes"] if each["labels"]["service"] == "gone"]
    # Evaluated every second, by the server at a part of a second of its own.
    assert abs(episode["start"] - first) <= 1.01
    assert episode["goes_on"]
    assert found["cost"]["samples"] > 0
