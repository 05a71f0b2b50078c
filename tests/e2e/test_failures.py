"""Containers that crash, vanish or are replaced come back with their data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.e2e.engine import until
from tests.e2e.stack import Stack, started_at

CRASHED = ("prometheus", "alertmanager", "jaeger", "blackbox-exporter")


def silence(stack: Stack, alerts: str = "Nothing") -> str:
    """Silence alerts (a pattern of their names) for an hour; the silence's id."""
    now = datetime.now(UTC)
    body = {
        "matchers": [{"name": "alertname", "value": alerts, "isRegex": True, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "e2e",
        "comment": "e2e",
    }
    with stack.http("alertmanager") as client:
        answer = client.post("/api/v2/silences", json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["silenceID"])


def is_silenced(stack: Stack, identifier: str) -> bool:
    """Whether Alertmanager still knows a silence as active."""
    with stack.http("alertmanager") as client:
        answer = client.get(f"/api/v2/silence/{identifier}")
    return bool(answer.is_success and answer.json()["status"]["state"] == "active")


def test_crashed_programs_come_back(stack: Stack) -> None:
    """The engine starts them again by itself, with their data, and Pulumi sees no difference.

    Those that took new configuration while they ran as well: the engine gives up on what it sent a signal itself.
    """
    running = stack.starts()
    stack.configure(scrape__interval="3s", alerting__group_wait="2s")
    stack.up()
    assert stack.starts() == running, "the change was live"
    stack.targets_up()
    at, trace = stack.remember_sample(), stack.send_trace()
    until(lambda: stack.has_trace(trace), "the trace in Jaeger")
    crashed = {stack.container(service): started_at(stack.container(service)) for service in CRASHED}
    for container in crashed:
        stack.engine.crash(container)
    until(lambda: all(started_at(each) > before for each, before in crashed.items()), "they were started again")
    stack.await_answers()
    until(lambda: stack.has_sample(at), "the sample from before the crash")
    until(lambda: stack.has_trace(trace), "the trace from before the crash")
    stack.targets_up()
    stack.no_changes("--refresh")


def test_a_stopped_container_runs_again_after_up(stack: Stack) -> None:
    """`docker stop` is the user's wish, so the engine leaves it; `up --refresh` starts it again."""
    at = stack.remember_sample()
    stack.container("prometheus").stop()
    stack.up("--refresh", what="up --refresh after `docker stop`")
    assert stack.has_sample(at)
    stack.no_changes()


def test_removed_containers_are_back_with_their_data(stack: Stack) -> None:
    """Samples, silences and traces outlive their containers, which `up --refresh` makes anew."""
    at, trace, quiet = stack.remember_sample(), stack.send_trace(), silence(stack)
    until(lambda: stack.has_trace(trace), "the trace in Jaeger")
    for service in ("prometheus", "alertmanager", "jaeger"):
        container = stack.container(service)
        container.stop()  # what a replacement does, too: Alertmanager writes its silences then
        container.remove()
    stack.up("--refresh", what="up --refresh after three removed containers")
    assert stack.has_sample(at)
    assert is_silenced(stack, quiet)
    until(lambda: stack.has_trace(trace), "the trace from before")
    stack.no_changes("--refresh")


def test_without_refresh_the_message_says_what_to_do(stack: Stack) -> None:
    """Plain `up` cannot know that a container is gone; a reload that nobody takes must not end in a riddle."""
    stack.container("prometheus").remove(force=True)
    stack.configure(scrape__interval="8s")
    outcome = stack.starting_up().wait()
    assert "Traceback" not in outcome.output, outcome
    stack.up("--refresh")
    assert stack.running_config()["global"]["scrape_interval"] == "8s"
