"""How programs are asked where they run: one that is starting answers late."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError

from operations.backups.holdings import proof
from operations.errors import CommandError
from operations.inside import InContainer, InPod, Inside
from operations.running import CheckFailed
from tests.support import plan_of

Program = Callable[[float, float], Inside]
"""A Prometheus that answers queries from a moment on, asked with a patience; both in seconds."""
ANSWER = json.dumps([{"metric": {}, "value": [0, "7"]}])


class Clock:
    """Time that passes only while somebody sleeps."""

    now = 0.0

    def monotonic(self) -> float:
        """Seconds so far."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """That of the module."""
    found = Clock()
    monkeypatch.setattr("operations.inside.time", found)
    return found


@pytest.fixture(params=["container", "pod"])
def program(request: pytest.FixtureRequest, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Program:
    """On each platform."""

    def made(ready: float, patience: float) -> Inside:
        def execute(*_: object, **__: object) -> tuple[int, str, str]:
            return (0, ANSWER, "") if clock.now >= ready else (1, "", "query error: 503 Service Unavailable\n")

        def exec_run(*_: object, **__: object) -> SimpleNamespace:
            code, *outputs = execute()
            return SimpleNamespace(exit_code=code, output=tuple(map(str.encode, outputs)))

        service = plan_of("minimal").service("prometheus")
        assert service
        if request.param == "pod":
            monkeypatch.setattr("operations.pods.execute", execute)
            return InPod(service, cast("Any", None), patience=patience)
        engine = SimpleNamespace(container=lambda _name: SimpleNamespace(exec_run=exec_run))
        return InContainer(service, cast("Any", engine), "observatory-minimal", patience=patience)

    return made


def test_a_program_that_answers_late_is_asked_until_it_does(
    program: Program, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(90, 180).number("up", 0) == 7
    assert 90 <= clock.now < 93
    assert capsys.readouterr().err.count("waiting for prometheus to answer") == 1


def test_one_that_never_answers_is_an_error_once_time_is_up(program: Program, clock: Clock) -> None:
    with pytest.raises(CheckFailed, match="prometheus does not answer: query error: 503 Service Unavailable"):
        program(1000, 180).number("up", 0)
    assert 177 < clock.now <= 180


def test_without_patience_it_is_asked_once(program: Program, clock: Clock) -> None:
    with pytest.raises(CheckFailed, match="prometheus does not answer"):
        program(0.01, 0).number("up", 0)
    assert clock.now == 0


def test_a_restore_waits_for_the_proof_and_fails_without_one(program: Program) -> None:
    assert proof(program(90, 180), None, 0) == {"series at that time": 7}
    with pytest.raises(CommandError, match="the copy is in place, but prometheus does not answer"):
        proof(program(1000, 180), None, 0)


def test_a_container_that_stopped_does_not_run() -> None:
    def refused(*_: object, **__: object) -> None:
        raise APIError("conflict", explanation="container is not running")

    service = plan_of("minimal").service("prometheus")
    assert service
    engine = SimpleNamespace(container=lambda _name: SimpleNamespace(exec_run=refused))
    with pytest.raises(CheckFailed, match="prometheus does not run: container is not running"):
        InContainer(service, cast("Any", engine), "observatory-minimal").number("up", 0)
