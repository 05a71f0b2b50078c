"""What is said of a running stack comes true: the series that an audit saves, the firings that a backtest finds."""

from __future__ import annotations

import json
import subprocess
from secrets import token_hex
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
GONE = {"team": "web", "port": 1, "discovery": {"static": {"targets": ["prometheus"]}}}


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
    newest = 'timestamp(up{job="twice"})'
    scraped = float(stack.query(newest)[0]["value"][1])
    until(lambda: float(stack.query(newest)[0]["value"][1]) > scraped + 2, "two scrapes", 180)
    counted = series(stack, "twice")
    own = len(stack.query('{job="twice",__name__=~"up|scrape_.+|ALERTS.*|.+:.+"}'))
    return (found, counted) if job["series"] == counted + own else None


def test_an_audits_suggestion_saves_what_it_promises(stack: Stack) -> None:
    stack.configure(services=[TWICE])
    stack.up()
    stack.targets_up("twice")
    until(lambda: series(stack, "twice") > 300, "the first scrapes", 180)
    # The program that is watched here is the very one that is asked: its first answers of each kind are new series.
    found, before = until(lambda: settled(stack), "an audit that leaves as many series as it has found", 240)
    assert found["against"] == "prometheus of the stack"
    (suggestion,) = [each for each in found["suggestions"] if each["job"] == "twice"]
    assert suggestion["stack_file"]["drop"][0] == "go_info"
    assert suggestion["series"] > 100
    assert suggestion["samples_per_second"] == suggestion["series"] / 2, "every 2 s"

    stack.configure(services=[TWICE | {"drop": suggestion["stack_file"]["drop"]}])
    stack.up()
    left: list[int] = []

    def saved() -> bool:
        left.append(series(stack, "twice"))
        return left[-1] > 0 and abs(before - left[-1] - suggestion["series"]) <= 0.05 * suggestion["series"]

    # After a scrape that a busy machine missed there is not one series.
    until(saved, lambda: f"{suggestion['series']} of {before} series are saved: {left[-20:]} are left", 120)
    # Every rule still has what it asks for.
    groups = stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"] == []


def test_a_backtest_finds_when_the_server_itself_fired(stack: Stack) -> None:
    folder = stack.project.folder
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=e2e", "-c", "user.email=e@e", "commit", "--allow-empty", "-qm", "e2e"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    name = f"gone-{token_hex(3)}"  # without samples of another attempt
    stack.configure(services=[GONE | {"name": name}], alerts__ServiceDown={"for": "7s"})
    stack.up()

    def times(selector: str) -> list[float]:
        """Of all samples of a series."""
        found = stack.query(f"{selector}[10m]")
        return [float(at) for at, _ in found[0]["values"]] if found else []

    state = f'ALERTS{{alertname="ServiceDown",service="{name}",alertstate="%s"}}'
    first = until(lambda: times(state % "firing"), "the server's own alert", 180)[0]
    pending, down = times(state % "pending"), times(f'up{{service="{name}"}}')[0]
    found = answer(stack, "backtest", "--days", "0.01")
    (alert,) = [each for each in found["alerts"] if each["alert"] == "ServiceDown"]
    assert alert["change"] in ("changed", "new")
    assert (found["complete"], alert["now"]["for"]) == (True, 7)
    (episode,) = [each for each in alert["now"]["episodes"] if each["labels"]["service"] == name]
    # Evaluated every second, by the server at a part of a second of its own, and not where it was too busy: then it
    # has been late for both, and fired with the first evaluation after the seven seconds all the same.
    assert 6.99 <= episode["start"] - down <= 8.01
    assert pending[-1] - pending[0] < 6.99 <= first - pending[0]
    assert pending[0] >= down
    assert first - episode["start"] >= -1.01
    assert episode["goes_on"]
    assert found["cost"]["samples"] > 0
