"""Steps are followed to the receivers and back; each that does not come is told with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from operations.drill.choose import chosen
from operations.drill.command import _waits
from operations.drill.feeds import feeds
from operations.drill.follow import Followed, Follower, Waits, counts_of
from operations.drill.rules import Drilled, drillable
from operations.errors import UsageError
from operations.http import Endpoint
from operations.results import Status
from tests.operations import fakes
from tests.support import plan_of, planned, stack

PLAN = plan_of("prod")
DRILLED = drillable(PLAN, feeds(), "now")["TargetDown"]


class World:
    """A drill's Prometheus and an Alertmanager, which do what they should until a test breaks one thing."""

    drilled: Drilled = DRILLED

    def __init__(self) -> None:
        self.states, self.sent, self.failed = ["", "pending", "firing"], 0, 0
        self.receiver, self.status, self.over = "chat", {"state": "active"}, False
        self.delivers, self.delivers_end, self.ends = True, True, True
        self.fake = fakes.Fake()
        self.busy = 0
        self.fake.routes["GET", "/api/v2/alerts"] = lambda _query, _body: self._answer()
        self.fake.routes["GET", "/metrics"] = lambda _query, _body: (200, self._metrics())

    def state(self) -> str:
        """What the alert is; each time a step further."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def running(self) -> bool:
        """It always does."""
        return True

    def end(self) -> None:
        """The condition is over."""
        self.over = self.ends
        self.sent += self.delivers_end

    def _answer(self) -> tuple[int, Any]:
        if self.busy:
            self.busy -= 1
            return 503, "busy"
        return 200, self._alerts()

    def _alerts(self) -> list[dict[str, Any]]:
        if self.over or self.states != ["firing"]:
            return []
        if self.delivers and not self.sent:
            self.sent = 1
        labels = {"alertname": "TargetDown", "drill": "now"}
        return [{"labels": labels, "receivers": [{"name": self.receiver}], "status": self.status}]

    def _metrics(self) -> str:
        own = 'integration="slack",receiver_name="chat"'
        return (
            f"alertmanager_notifications_total{{{own}}} {self.sent}\n"
            f'alertmanager_notifications_failed_total{{{own},reason="clientError"}} {self.failed}\n'
            'alertmanager_notifications_total{integration="email",receiver_name="other"} 3\n'
        )


@pytest.fixture
def world() -> World:
    """One in which all is well."""
    return World()


@pytest.fixture
def follow(world: World) -> Iterator[Callable[..., Followed]]:
    """Follow the alert in that world."""
    with fakes.served({"alertmanager": world.fake}) as endpoints:

        def followed(patience: float = 2, wait: float = 0.5, least: float = 0) -> Followed:
            endpoint: Endpoint = endpoints["alertmanager"]
            found = Followed("TargetDown")
            counts = lambda: counts_of(endpoint.get("/metrics").text)  # noqa: E731
            follower = Follower(endpoint, counts, lambda _: Waits(least, wait, wait), patience, lambda _: None, "dev")
            follower.follow(world, found)  # type: ignore[arg-type]
            return found

        yield followed


def test_all_steps_in_their_order(follow: Callable[..., Followed]) -> None:
    found = follow()
    assert list(found.steps) == ["pending", "firing", "arrived", "delivered", "ended", "end delivered"]
    assert sorted(found.steps.values()) == list(found.steps.values())
    result = found.result()
    assert result.status is Status.OK
    assert result.detail.endswith(" s to chat")


def test_an_alert_that_does_not_fire(world: World, follow: Callable[..., Followed]) -> None:
    world.states = ["pending"]
    result = follow(patience=0.5).result()
    assert result.status is Status.FAILED
    assert result.detail.startswith("TargetDown does not fire after")
    assert "tests/rules/prometheus.yaml" in result.remedy


def test_a_message_that_is_refused(world: World, follow: Callable[..., Followed]) -> None:
    world.failed = 0
    original = world._metrics

    def failing() -> str:
        world.failed = world.sent
        return original()

    world._metrics = failing  # type: ignore[method-assign]
    result = follow().result()
    assert (result.status, result.detail.splitlines()[0]) == (Status.FAILED, "delivery to chat (slack) failed")
    assert "secret" in result.remedy
    assert "./observatory doctor dev shows" in result.remedy


def test_a_server_that_is_busy_is_asked_again(world: World, follow: Callable[..., Followed]) -> None:
    world.busy = 2
    assert follow().result().status is Status.OK
    assert world.busy == 0


def test_whatever_is_asked_is_asked_again(world: World, follow: Callable[..., Followed]) -> None:
    """Of questions between the steps, each has an answer every other time only."""
    asked = 0

    def every_other_time(route: fakes.Route) -> fakes.Route:
        def answer(query: dict[str, str], body: Any) -> fakes.Answer:
            nonlocal asked
            asked += 1
            return (503, "busy") if asked % 2 else route(query, body)

        return answer

    for path, route in world.fake.routes.items():
        world.fake.routes[path] = every_other_time(route)
    assert follow(patience=30).result().status is Status.OK


def test_no_answer_at_all(world: World, follow: Callable[..., Followed]) -> None:
    world.busy = 10_000
    result = follow(patience=0.5).result()
    assert result.status is Status.FAILED
    assert result.detail.startswith("alertmanager answers /api/v2/alerts with 503")


def test_a_message_that_is_never_sent(world: World, follow: Callable[..., Followed]) -> None:
    world.delivers = False
    result = follow(patience=0.5).result()
    assert result.detail.startswith("no message was delivered to chat after")


@pytest.mark.parametrize(
    ("kind", "told"), [("silencedBy", "silence x"), ("inhibitedBy", "(x)"), ("mutedBy", "interval x")]
)
def test_an_alert_that_is_held_back(world: World, follow: Callable[..., Followed], kind: str, told: str) -> None:
    world.status = {"state": "suppressed", kind: ["x"]}  # type: ignore[dict-item]
    result = follow().result()
    assert (result.status, result.detail.splitlines()[0]) == (Status.FAILED, "Alertmanager holds it back")
    assert told in result.remedy


def test_an_alert_that_nobody_hears_is_not_proved(world: World, follow: Callable[..., Followed]) -> None:
    world.receiver = "nobody"
    found = follow()
    assert list(found.steps) == ["pending", "firing", "arrived", "ended"]
    assert found.result().status is Status.NOT_CHECKED
    assert "no channel takes it" in found.result().detail


def test_what_is_sent_before_the_group_may_is_about_something_else(follow: Callable[..., Followed]) -> None:
    """Counters tell of all alerts; the group of this one waits first."""
    found = follow(patience=4, least=2.5)
    assert found.steps["delivered"] - found.steps["arrived"] > 1.4


def test_an_end_that_does_not_come(world: World, follow: Callable[..., Followed]) -> None:
    world.ends = False
    assert "its end has not arrived" in follow(patience=0.5).result().detail


def test_a_late_message_of_the_end_is_not_waited_for(follow: Callable[..., Followed]) -> None:
    found = follow(patience=1, wait=300)
    assert "end delivered" not in found.steps
    assert "follows within 300 s; --timeout 300 awaits it" in found.result().detail


def test_waits_are_those_of_the_routes_of_the_receivers() -> None:
    hook = {"type": "webhook", "url": "https://example.com/a"}
    routes = [
        {"match": {"team": "web"}, "channels": ["a"], "group_wait": "1m", "group_interval": "2m"},
        {"match": {"team": "data"}, "channels": ["b"], "digest": "daily"},
    ]
    config = stack(alerting={"channels": {"a": hook, "b": hook}, "routes": routes, "default_channels": ["a"]})
    waits = _waits(planned(config))
    assert waits(["a"]) == Waits(30, 60, 300)
    assert waits(["b"]) == Waits(600, 600, 86400)
    assert waits([]) == Waits(0, 600, 86400)


def test_a_name_that_cannot_be_drilled_is_wrong_usage() -> None:
    known = drillable(PLAN, feeds(), "now")
    with pytest.raises(UsageError, match="TargetDwn cannot be drilled") as error:
        chosen(PLAN, known, ["TargetDwn"], each_receiver=False)
    assert error.value.hint == "did you mean TargetDown?"
    assert chosen(PLAN, known, [], each_receiver=False) == []
    assert [
        each.alert for each in chosen(PLAN, known, ["Watchdog", "TargetDown", "Watchdog"], each_receiver=False)
    ] == [
        "Watchdog",
        "TargetDown",
    ]


def test_one_alert_for_each_set_of_receivers() -> None:
    hook = {"type": "webhook", "url": "https://example.com/a"}
    routes = [{"match": {"severity": "critical"}, "channels": ["page"]}]
    config = stack(
        environment="dev",
        alerting={"channels": {"chat": hook, "page": hook}, "routes": routes, "default_channels": ["chat"]},
    )
    plan = planned(config)
    found = chosen(plan, drillable(plan, feeds(), "now"), ["TargetDown"], each_receiver=True)
    severities = [each.planned[0]["labels"]["severity"] for each in found]
    assert found[0].alert == "TargetDown"
    assert {"critical", "warning"} <= {*severities}
    assert len(found) <= 4
