"""A configuration that a program refuses: the update fails in its words, the old one runs on, the next try counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.engine import until
from tests.e2e.stack import Stack

RULE = "rules/prometheus.yaml"


@pytest.fixture
def broken_rule(stack: Stack) -> Iterator[Stack]:
    """A rule file of the project with an expression that nobody can parse."""
    with stack.project.changed(RULE, "expr: vector(1)", "expr: vector(1"):
        yield stack
    stack.dirty = True


def live_rule(stack: Stack) -> bool:
    """Whether the rule file that Prometheus reads is the old one."""
    files = stack.engine.files(stack.container("prometheus"), "/etc/prometheus")
    return any("expr: vector(1)\n" in text for path, text in files.items() if path.endswith("rules/prometheus.yaml"))


def test_prometheus_refuses(broken_rule: Stack) -> None:
    """Twice with the same mistake, then repaired."""
    stack = broken_rule
    at, before, running = stack.remember_sample(), stack.starts(), stack.running_config()
    stack.configure(scrape__interval="7s")
    for _ in range(2):
        outcome = stack.failing_up()
        assert "rejected the new configuration and keeps the old one" in outcome.output, outcome
        assert "unclosed left parenthesis" in outcome.output, outcome
        assert stack.running_config() == running
        assert stack.starts() == before
        assert live_rule(stack)
    groups = stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
    assert any(rule["name"] == "Watchdog" for group in groups for rule in group["rules"])
    with stack.project.changed(RULE, "expr: vector(1", "expr: vector(1)"):
        stack.up()
        assert stack.running_config()["global"]["scrape_interval"] == "7s"
        assert stack.starts() == before
        assert stack.has_sample(at)


def test_alertmanager_refuses(stack: Stack) -> None:
    """The same for Alertmanager, whose answer comes from its log as well."""
    before = stack.starts()
    original = stack.get("alertmanager", "/api/v2/status")["config"]["original"]
    path = "components/services/alertmanager.py"
    with stack.project.changed(path, '"resolve_timeout": "5m"', '"resolve_timeout": "soon"'):
        for _ in range(2):
            outcome = stack.failing_up()
            assert "rejected the new configuration and keeps the old one" in outcome.output, outcome
            assert 'not a valid duration string: "soon"' in outcome.output.replace("\\", ""), outcome
            assert stack.get("alertmanager", "/api/v2/status")["config"]["original"] == original
    assert stack.starts() == before
    stack.configure(alerting__repeat_interval="3h")
    stack.up()

    def loaded() -> bool:
        return "repeat_interval: 3h" in stack.get("alertmanager", "/api/v2/status")["config"]["original"]

    until(loaded, "Alertmanager answers by it", 180)
    assert stack.starts() == before


def test_a_bad_stack_file_changes_nothing(stack: Stack) -> None:
    """What the model refuses never reaches the engine: the preview ends with the key and what is allowed."""
    before = stack.starts()
    stack.configure(scrape__timeout="1m")
    outcome = stack.failing_up()
    assert "scrape.timeout" in outcome.output, outcome
    assert "must not be longer than scrape.interval 2s" in outcome.output, outcome
    assert stack.starts() == before


def test_a_program_that_cannot_start_says_why(stack: Stack) -> None:
    """A container that exits at once fails the update with the end of its log, not after minutes."""
    path = "components/services/jaeger.py"
    with stack.project.changed(path, '"extensions": ["jaeger_storage",', '"extensions": ["no_such_thing",'):
        outcome = stack.failing_up()
    assert "jaeger stopped right after its start. Its last words:" in outcome.output, outcome
    assert "no_such_thing" in outcome.output, outcome
    assert outcome.seconds < 180, "as long as a deployment waits for a start at most"
    stack.up()
    stack.await_answers()
