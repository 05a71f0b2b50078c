"""`report --base deployed`: what a running stack has, by its state, beside what the next update would make of it."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.stack import Stack


def reported(stack: Stack, *arguments: str) -> dict[str, Any]:
    """The report on the stack, as data."""
    outcome = stack.project.run(
        "./observatory", "report", stack.environment, "--base", "deployed", "--json", *arguments
    )
    answer = json.loads(outcome.output[outcome.output.index("{") : outcome.output.rindex("}") + 1])
    assert outcome.code == (0 if answer["ok"] else 1), outcome
    found: dict[str, Any] = answer["stacks"][0]
    return found


def test_what_is_deployed_is_known_from_its_state(stack: Stack) -> None:
    """Nothing differs from what runs; each change is told before it is deployed, and none after it was."""
    assert reported(stack)["changes"] == []
    stack.configure(
        retention={"time": "1d"},
        alerts__TargetDown={"for": "20m"},
        alerts__ProbeSlow=False,
        alerting={"group_wait": "2s", "group_interval": "1s"},
        tracing={"backend": "none"},
        resources={"prometheus": {"memory": "768MB"}},
    )
    found = reported(stack, "--fail-on", "data-loss")
    told = {(change["name"], change["what"], change["before"], change["after"]) for change in found["changes"]}
    assert {
        ("TargetDown", "for loosened", "5m", "20m"),
        ("samples on disk", "kept for less", "15d", "1d"),
        ("volume jaeger-data", "no longer used", "", ""),
        ("prometheus", "less memory", "1024 MiB", "768 MiB"),
    } <= told, told
    assert any(change["name"] == "ProbeSlow" and change["what"] == "removed" for change in found["changes"])
    assert {"data-loss", "fewer-alerts", "looser-alerts", "fewer-targets"} <= {*found["dangers"]}
    assert not any(change["section"] == "secrets" for change in found["changes"])
    # The volume of the traces is protected: only what the update would do to the rest is deployed here.
    stack.configure(
        retention={"time": "1d"},
        alerts__TargetDown={"for": "20m"},
        alerts__ProbeSlow=False,
        resources={"prometheus": {"memory": "768MB"}},
    )
    stack.up()
    assert reported(stack)["changes"] == []


def test_a_stack_that_was_never_deployed_is_new(stack: Stack) -> None:
    """There is nothing to compare with, which is said."""
    name = f"{stack.environment}-new"
    text = stack.file.read_text().replace(f"environment: {stack.environment}", f"environment: {name}")
    file = stack.file.parent / f"Pulumi.{name}.yaml"
    file.write_text(text)
    outcome = stack.project.run("./observatory", "report", name, "--base", "deployed")
    file.unlink()
    assert outcome.code == 0, outcome
    assert f"{name} is new: it was never deployed" in outcome.output
