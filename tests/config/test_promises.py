"""Objectives that could not be measured, or never be missed, are refused; the history is as long as they look back."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackFileError
from components.services.demo import with_demo
from tests.support import data, images, planned, service, stack

SHOP: dict[str, Any] = {
    "name": "shop",
    "team": "web",
    "discovery": {"static": {"targets": ["shop:8080"]}},
    "exposes": ["http"],
}
KEY = "services[0].objectives.availability"


def promising(**objective: Any) -> list[dict[str, Any]]:
    """The services of a stack: one, with such an objective."""
    return [{**SHOP, "objectives": {"availability": {"target": "99.9%", **objective}}}]


def error_of(**changes: Any) -> str:
    with pytest.raises(StackFileError) as caught:
        stack(**changes)
    return str(caught.value).removeprefix("stacks/Pulumi.test.yaml: 1 problem\n  ")


@pytest.mark.parametrize(
    ("retention", "objective", "said"),
    [
        ("15d", {}, "(is 30d): is longer than retention.time 15d\n      hint: retention: {time: 30d}, or window: 14d"),
        ("29d", {}, "(is 30d): is longer than retention.time 29d\n      hint: retention: {time: 30d}, or window: 28d"),
        (
            "30d",
            {"window": "90d"},
            "(is 90d): is longer than retention.time 30d\n      hint: retention: {time: 90d}, or window: 30d",
        ),
        ("6d", {"window": "7d"}, "(is 7d): is longer than retention.time 6d\n      hint: retention: {time: 7d}"),
    ],
)
def test_a_window_is_not_longer_than_the_history(retention: str, objective: dict[str, Any], said: str) -> None:
    assert error_of(retention={"time": retention}, services=promising(**objective)) == f"{KEY}.window {said}"


@pytest.mark.parametrize(("retention", "window"), [("30d", "30d"), ("720h", "30d"), ("7d", "7d"), ("1y", "90d")])
def test_a_history_as_long_as_the_window_is_enough(retention: str, window: str) -> None:
    assert stack(retention={"time": retention}, services=promising(window=window)).retention_time == retention


@pytest.mark.parametrize(
    ("services", "kept"),
    [
        ([], "15d"),
        ([SHOP], "15d"),
        (promising(), "30d"),
        (promising(window="7d"), "15d"),
        (promising(target="99.99%", window="90d"), "90d"),
    ],
)
def test_who_sets_no_retention_has_as_much_as_the_objectives_need(services: list[dict[str, Any]], kept: str) -> None:
    prometheus = service(planned(stack(services=services)), "prometheus")
    assert data(prometheus, "prometheus.yml")["storage"]["tsdb"] == {"retention": {"time": kept}}


@pytest.mark.parametrize(
    ("retention", "window", "kept"), [({}, "30d", "30d"), ({"time": "7d"}, "7d", "7d"), ({"time": "29d"}, "28d", "29d")]
)
def test_the_demo_promises_what_the_stack_can_remember(retention: dict[str, str], window: str, kept: str) -> None:
    config = stack(demo=True, retention=retention)
    config = with_demo(config, images(config))
    windows = {one.objectives.availability.window for one in config.services if one.objectives.availability}
    assert (windows, config.retention_time) == ({window}, kept)


def test_an_objective_whose_alerts_could_never_fire_is_refused() -> None:
    text = error_of(services=promising(target="93%"))
    assert text.startswith(f"{KEY}.target (is 0.93): is too low for burn rate alerts to fire")
    assert "above 93.1% with a window of 30d" in text
    stack(services=promising(target="93.1%"))
    assert "97.7%" in error_of(retention={"time": "90d"}, services=promising(target="95%", window="90d"))


@pytest.mark.parametrize(
    ("alert", "settings", "limit"),
    [
        ("SLOBurnRateHigh", {"share_1h": "80%"}, 2.78),
        ("SLOBurnRateHigh", {"share_6h": "20%"}, 16.67),
        ("SLOBurnRateElevated", {"share_1d": "70%"}, 66.67),
    ],
)
def test_a_share_that_could_never_burn_at_the_stacks_targets_is_refused(
    alert: str, settings: dict[str, str], limit: float
) -> None:
    ((name, share),) = settings.items()
    text = error_of(services=promising(target="95%"), alerts={alert: settings})
    assert text == (
        f"alerts.{alert}.{name} (is {share}): is out of reach: {KEY} of 0.95 burns less even when every request fails"
        f"\n      hint: below {limit}%"
    )
    stack(services=promising(target="95%"), alerts={alert: {name: limit / 100 - 0.001}})
    stack(services=[SHOP], alerts={alert: settings})


def test_shares_and_alerts_of_the_stack_itself_decide_what_target_is_too_low() -> None:
    stack(services=promising(target="93%"), alerts={"SLOBurnRateHigh": {"share_1h": "1%"}})
    stack(services=promising(target="93%"), alerts={"SLOBurnRateHigh": False})
    assert "must be a ratio" in error_of(services=promising(target="93%"), alerts={"SLOBurnRateHigh": {"share_1h": 7}})
