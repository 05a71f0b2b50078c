"""Follows a drilled alert: pending, firing, in Alertmanager, at its receivers, and over again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from components.services.alertmanager_routes import NOBODY
from operations.drill.rules import LABEL
from operations.drill.server import Server
from operations.http import Endpoint
from operations.results import Result, Status
from operations.running import CheckFailed, FailedForGood

_COUNT = re.compile(r"^(alertmanager_notifications(?:_failed)?_total)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Counts = Mapping[tuple[str, str, str], float]
"""Metric, receiver and integration to how many notifications there were."""
_PAUSE = 0.3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waits:
    """How long groups wait for their first message, at least and at most, and for their next; in seconds."""

    least: float
    most: float
    following: float


class Missed(Exception):
    """A step that did not come, and what to do about it."""

    def __init__(self, problem: str, remedy: str):
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


@dataclass
class Followed:
    """What became of one alert: seconds from the start of its feed to each step."""

    alert: str
    steps: dict[str, float] = field(default_factory=dict)
    receivers: tuple[str, ...] = ()
    problem: str = ""
    remedy: str = ""
    notes: list[str] = field(default_factory=list)
    """What is not as in earnest, or was not waited for."""

    def result(self) -> Result:
        """For the report."""
        way = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.steps.items())
        to = f"to {', '.join(self.receivers)}" if self.receivers else ""
        detail = "\n".join(filter(None, (self.problem, f"{way} {to}".strip(), *self.notes)))
        unheard = not self.problem and set(self.receivers) <= {NOBODY}
        status = Status.FAILED if self.problem else Status.NOT_CHECKED if unheard else Status.OK
        return Result(self.alert, status, detail, self.remedy, max(self.steps.values(), default=0.0))


@dataclass(frozen=True)
class Follower:
    """How a drill is watched. `patience` are seconds for each step; messages have their groups' waits on top."""

    alertmanager: Endpoint
    counts: Callable[[], Counts]
    """Notifications of all replicas so far."""
    waits: Callable[[Sequence[str]], Waits]
    """Of the routes to these receivers."""
    patience: float
    show: Callable[[str], None]
    stack: str
    """As the user calls it."""

    @property
    def _reach(self) -> str:
        return f"does Prometheus reach Alertmanager? ./observatory doctor {self.stack} tells why not"

    @property
    def _channel(self) -> str:
        question = "is the channel's secret valid, and can it be reached?"
        return f"{question} ./observatory doctor {self.stack} shows Alertmanager's words"

    def follow(self, server: Server, followed: Followed) -> None:
        """Fill in every step, up to the first that does not come."""
        start = time.monotonic()
        try:
            self._begins(server, followed, start)
            self._ends(server, followed, start)
        except Missed as missed:
            followed.problem, followed.remedy = missed.problem, missed.remedy
        except CheckFailed as error:
            followed.problem, followed.remedy = error.detail, error.remedy

    def _begins(self, server: Server, followed: Followed, start: float) -> None:
        before, alert = self._answer(self.counts), server.drilled.alert
        feed = f"its series are those of tests/rules/{server.drilled.feed.test}, made for the rule's default numbers"
        self._step(server, followed, start, "pending", lambda: server.state() != "", f"{alert} is not pending", feed)
        firing = lambda: server.state() == "firing"  # noqa: E731
        self._step(server, followed, start, "firing", firing, f"{alert} does not fire", feed)
        there = lambda: bool(self._alerts(server))  # noqa: E731
        self._step(server, followed, start, "arrived", there, "it has not arrived at Alertmanager", self._reach)
        found = self._answer(lambda: self._alerts(server))
        followed.receivers = tuple(sorted({each["name"] for alert in found for each in alert["receivers"]}))
        _not_held_back(found)
        if set(followed.receivers) <= {NOBODY}:
            followed.notes.append("no channel takes it: give `alerting` a route or default_channels")
            return
        problem = f"no message was delivered to {', '.join(followed.receivers)}"
        waits, arrived = self.waits(followed.receivers), time.monotonic()
        # What its receivers are told before that is about something else. It has no group with real alerts.
        sent = lambda: time.monotonic() - arrived > waits.least - 1 and self._sent(followed, before)  # noqa: E731
        self._step(server, followed, start, "delivered", sent, problem, self._channel, waits.most)
        if failed := self._answer(lambda: self._failed(followed, before)):
            raise Missed(f"delivery to {failed} failed", self._channel)

    def _ends(self, server: Server, followed: Followed, start: float) -> None:
        before = self._answer(self.counts)
        server.end()
        over = lambda: not self._alerts(server)  # noqa: E731
        self._step(server, followed, start, "ended", over, "its end has not arrived at Alertmanager", self._reach)
        if set(followed.receivers) <= {NOBODY}:
            return
        wait = self.waits(followed.receivers).following
        if wait > self.patience:
            followed.notes.append(f"the message of its end follows within {wait:.0f} s; --timeout {wait:.0f} awaits it")
            return
        sent = lambda: self._sent(followed, before)  # noqa: E731
        problem, remedy = "no message of its end was delivered", "has the channel `send_resolved: false`?"
        self._step(server, followed, start, "end delivered", sent, problem, remedy, wait)

    def _step(
        self,
        server: Server,
        followed: Followed,
        start: float,
        name: str,
        question: Callable[[], bool],
        problem: str,
        remedy: str,
        longer: float = 0.0,
    ) -> None:
        deadline = time.monotonic() + self.patience + longer
        while not (server.running() and self._in_time(question, deadline)):
            if time.monotonic() > deadline:
                raise Missed(f"{problem} after {self.patience + longer:.0f} s", remedy)
            time.sleep(_PAUSE)
        followed.steps[name] = time.monotonic() - start
        self.show(f"{followed.alert}: {name} after {followed.steps[name]:.1f} s")

    def _answer(self, question: Callable[[], T]) -> T:
        """What a step begins or ends with, asked as patiently as the step."""
        deadline = time.monotonic() + self.patience
        while (answer := self._in_time(question, deadline)) is None:
            time.sleep(_PAUSE)
        return answer

    @staticmethod
    def _in_time(question: Callable[[], T], deadline: float) -> T | None:
        """Raises CheckFailed where there is no answer once time is up; until then it may be a busy moment: None."""
        try:
            return question()
        except FailedForGood:
            raise
        except CheckFailed:
            if time.monotonic() > deadline:
                raise
            return None

    def _sent(self, followed: Followed, before: Counts) -> bool:
        """Whether every integration of its receivers has tried one more; failed ones are counted here, too."""
        now = self.counts()
        own = [key for key in now if key[0] == "alertmanager_notifications_total" and key[1] in followed.receivers]
        return bool(own) and all(now[key] > before.get(key, 0.0) for key in own)

    def _failed(self, followed: Followed, before: Counts) -> str:
        return ", ".join(
            f"{key[1]} ({key[2]})"
            for key, count in self.counts().items()
            if key[0].endswith("failed_total") and key[1] in followed.receivers and count > before.get(key, 0.0)
        )

    def _alerts(self, server: Server) -> list[dict[str, Any]]:
        drilled = server.drilled
        wanted = f'{LABEL}="{drilled.identity}"'
        found: list[dict[str, Any]] = self.alertmanager.get_json("/api/v2/alerts", filter=wanted)
        return [each for each in found if each["labels"]["alertname"] == drilled.alert]


def _not_held_back(alerts: Sequence[Mapping[str, Any]]) -> None:
    """Raises Missed with the reason where Alertmanager keeps it to itself."""
    for kind, remedy in (
        ("silencedBy", "silence {0} hides it: meant so? Else end it in Alertmanager's UI"),
        ("inhibitedBy", "another alert that fires explains it ({0}); drill it again when that one is over"),
        ("mutedBy", "the time interval {0} of its route mutes it now; see `alerting.routes[].mute` and `active`"),
    ):
        for alert in alerts:
            if by := alert["status"].get(kind):
                raise Missed("Alertmanager holds it back", remedy.format(", ".join(by)))


def counts_of(text: str) -> Counts:
    """The counters of notifications, out of the text format; reasons of failures are summed up."""
    found: dict[tuple[str, str, str], float] = {}
    for metric, labels, value in _COUNT.findall(text):
        named = dict(_LABEL.findall(labels))
        key = (metric, named.get("receiver_name", ""), named.get("integration", ""))
        found[key] = found.get(key, 0.0) + float(value)
    return found
