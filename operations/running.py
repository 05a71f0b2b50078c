"""Runs checks against a running stack: independent ones at once, patient ones again until they hold or time is up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from components.config import StackConfig
from components.spec import Plan
from operations.results import Result, Status

if TYPE_CHECKING:
    from operations.http import Endpoint

T = TypeVar("T")
DEPLOY = "deploy it again (`make up` or `pulumi up`)"
UPDATE = f"{DEPLOY}: what is planned goes live, or you read why it is rejected"


class CheckFailed(Exception):
    """What is wrong and what to do about it. `status` is that of an HTTP answer, if it was one."""

    def __init__(self, detail: str, remedy: str = "", status: int = 0):
        self.detail, self.remedy, self.status = detail, remedy, status
        super().__init__(detail)


class FailedForGood(CheckFailed):
    """A failure that does not pass by waiting."""


class NotChecked(Exception):
    """Why a check could not be made."""


class Interrupted(Exception):
    """The user does not want to wait any longer."""


@dataclass
class Running:
    """A running stack as checks see it: what is planned, how it is reached, and how long to be patient."""

    config: StackConfig
    plan: Plan
    endpoints: Mapping[str, Endpoint]
    """By name: prometheus, alertmanager, jaeger, otlp, grafana. One that is not here is not reachable from here."""
    patience: float = 60.0
    unreachable: Mapping[str, str] = field(default_factory=dict)
    """Why an endpoint is not there."""
    stop: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint, or NotChecked with the reason why there is none."""
        if name not in self.endpoints:
            raise NotChecked(self.unreachable.get(name, f"{name} is not part of this stack"))
        return self.endpoints[name]

    def until(self, question: Callable[[], T], pause: float = 0.1, longer: float = 0.0) -> T:
        """Ask until there is an answer; the last failure counts once time is up. `pause` grows to a second.

        `longer` are seconds beyond the patience, where it is known that the answer takes them.
        """
        while True:
            if self.stop.is_set():
                raise Interrupted
            try:
                return question()
            except FailedForGood:
                raise
            except CheckFailed:
                if time.monotonic() + pause > self.started + self.patience + longer:
                    raise
            self.stop.wait(pause)
            pause = min(pause * 1.5, 1.0)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `needs` names the endpoints that have to answer for it to make sense."""

    name: str
    run: Callable[[Running], str]
    """Returns what was found; raises CheckFailed or NotChecked."""
    needs: tuple[str, ...] = ()
    patient: bool = True
    answers: str = ""
    """The endpoint whose readiness this very check is."""


def run_check(check: Check, running: Running) -> Result:
    """Make one check, whatever happens in it."""
    start = time.monotonic()

    def result(status: Status, detail: str, remedy: str = "") -> Result:
        return Result(check.name, status, detail, remedy, time.monotonic() - start)

    try:
        detail = running.until(lambda: check.run(running)) if check.patient else check.run(running)
    except CheckFailed as error:
        return result(Status.FAILED, error.detail, error.remedy)
    except NotChecked as error:
        return result(Status.NOT_CHECKED, str(error))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # An answer in an unknown shape must not end the other checks.
        detail = f"the answer is not what this version expects ({type(error).__name__}: {error})"
        return result(Status.FAILED, detail, "is another program or version on that port? see `docker ps`")
    return result(Status.OK, detail)


def run_checks(checks: Sequence[Check], running: Running) -> Generator[Result]:
    """All checks in their order, each as soon as it and those before it are done.

    First whether the endpoints answer; what needs one that does not is not checked.
    """
    first = [check for check in checks if check.answers]
    others = [check for check in checks if not check.answers]
    pool = ThreadPoolExecutor(max_workers=max(len(checks), 1))
    try:
        silent: dict[str, str] = {}
        for check, future in [(check, pool.submit(run_check, check, running)) for check in first]:
            result = future.result()
            yield result
            if result.status is Status.FAILED:
                silent[check.answers] = f"{check.answers} does not answer"
            elif result.status is Status.NOT_CHECKED:
                silent[check.answers] = result.detail
        waiting = []
        for check in others:
            reasons = [silent[name] for name in check.needs if name in silent]
            waiting.append((check, reasons[0] if reasons else pool.submit(run_check, check, running)))
        for check, outcome in waiting:
            yield Result(check.name, Status.NOT_CHECKED, outcome) if isinstance(outcome, str) else outcome.result()
    finally:
        # After Ctrl-C the checks that run see `stop`, and clean up before they end.
        running.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
