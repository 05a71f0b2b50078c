"""An `up` that is interrupted, or whose processes all die, is finished by the next one."""

from __future__ import annotations

import time

import pytest
from docker.errors import NotFound

from tests.e2e.engine import until
from tests.e2e.lengths import Lengths
from tests.e2e.project import Run
from tests.e2e.stack import Stack


def take_down(stack: Stack) -> None:
    """Leave the stack's data, and nothing that runs."""
    stack.dirty = True
    outcome = stack.pulumi("destroy", "--exclude-protected", "--yes", "--skip-preview")
    assert outcome.code == 0, outcome


@pytest.fixture
def stopped(stack: Stack) -> Stack:
    """The stack with its data, but without anything that runs: so that an `up` has much to do."""
    take_down(stack)
    return stack


def until_said(run: Run, text: str) -> None:
    """Wait for a line of a running command."""
    # Looked for often: it does not wait to be interrupted.
    until(
        lambda: text in run.output() or run.process.poll() is not None,
        lambda: f"{text!r} in {run.output()}",
        240,
        longest_pause=0.05,
    )
    assert run.process.poll() is None, f"it had ended before: {run.output()}"


def recover(stack: Stack) -> None:
    """What a user does after a power cut, once `up` has said that the stack is locked."""
    locked = stack.starting_up().wait()
    assert locked.code != 0, locked
    assert "pulumi cancel" in locked.output, locked
    stack.recover()


def test_ctrl_c(stopped: Stack) -> None:
    """Pulumi ends what it has begun and writes its state; `up` again does the rest, with no other command."""
    stack = stopped
    run = stack.starting_up()
    until_said(run, "Container prometheus creating")
    run.interrupt()
    outcome = run.wait()
    assert outcome.code != 0, outcome
    stack.up()
    stack.await_answers()
    stack.no_changes()


@pytest.mark.parametrize("moment", ["docker:Network network creating", "Container prometheus creating"])
def test_power_cut(stopped: Stack, moment: str) -> None:
    """All processes die at once, with the network or containers half made."""
    stack = stopped
    run = stack.starting_up()
    until_said(run, moment)
    run.kill()
    recover(stack)
    stack.up()
    stack.await_answers()
    assert "pending operations" not in stack.no_changes().output


def test_power_cuts_at_any_moment(stopped: Stack, lengths: Lengths) -> None:
    """Spread over the time that an `up` takes; some come before it has locked the stack, or after it has ended."""
    stack = stopped
    whole = stack.up().seconds
    for number in range(lengths.power_cuts):
        take_down(stack)
        run = stack.starting_up()
        time.sleep(whole * (number + 1) / (lengths.power_cuts + 1))
        run.kill()
        stack.recover()
        stack.up()
        stack.await_answers()
        assert "pending operations" not in stack.no_changes().output


def test_a_power_cut_that_left_the_state_half_written(stack: Stack) -> None:
    """Side files are cut that no command of Pulumi can go without, and the state itself is empty."""
    stack.up()
    before = stack.starts()
    kept = stack.project.state / ".pulumi"
    state = kept / "stacks" / "observatory" / f"{stack.environment}.json"
    (kept / "meta.yaml.attrs").touch()
    state.with_name(f"{state.name}.attrs").touch()
    state.write_text("")
    asked = stack.project.run("./observatory", "drift", stack.environment)
    assert f"hint: run `./observatory recover {stack.environment}`" in asked.output, asked
    recovered = stack.recover()
    assert "removed 2 of Pulumi's side files" in recovered.output, recovered
    assert f"took {state}.bak" in recovered.output, recovered
    stack.up()
    assert stack.starts() == before
    stack.no_changes()


def test_power_cut_during_a_live_change(stack: Stack) -> None:
    """Prometheus runs on with one configuration or the other, and the next `up` brings the new one."""
    before = stack.starts()
    stack.configure(scrape__interval="9s")
    run = stack.starting_up()
    until_said(run, "Configuration prometheus updating")
    run.kill()
    assert stack.running_config()["global"]["scrape_interval"] in ("2s", "9s")
    assert stack.pulumi("cancel", "--yes").code == 0
    stack.up()
    assert stack.running_config()["global"]["scrape_interval"] == "9s"
    assert stack.starts() == before
    with pytest.raises(NotFound):
        stack.engine.container(f"observatory-{stack.environment}-prometheus-config-writer")
    stack.no_changes()
