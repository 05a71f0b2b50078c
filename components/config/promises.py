"""Whether an objective can be measured and missed: history as long as its window, burn rates that can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from components.config.base import seconds
from components.config.errors import Problem
from components.config.metrics import Availability, Latency, Window
from components.config.services import MonitoredService

WINDOWS: tuple[Window, ...] = get_args(Window)
"""Ascending."""
_PACES = (
    ("SLOBurnRateHigh", "share_1h", 1),
    ("SLOBurnRateHigh", "share_6h", 6),
    ("SLOBurnRateElevated", "share_1d", 24),
    ("SLOBurnRateElevated", "share_3d", 72),
)
"""Alert, parameter, hours: this share of the budget within these hours is the pace that alerts."""
Promise = tuple[str, Availability | Latency]
"""The key of an objective, and the objective."""


def objectives_of(services: Iterable[MonitoredService]) -> Iterator[Promise]:
    """Every objective, with its key in the stack file."""
    for index, service in enumerate(services):
        for name in ("availability", "latency"):
            objective: Availability | Latency | None = getattr(service.objectives, name)
            if objective:
                yield f"services[{index}].objectives.{name}", objective


def longest_window(services: Iterable[MonitoredService]) -> str | None:
    """The longest window of an objective; None where nothing is promised."""
    return max((objective.window for _, objective in objectives_of(services)), key=seconds, default=None)


def promise_problems(
    services: Sequence[MonitoredService], setting: str, kept: str, alerts: Mapping[str, Any]
) -> Iterator[Problem]:
    """Windows beyond what is `kept` of the past by a setting, and burn rates above one error a request."""
    promises = list(objectives_of(services))
    for key, objective in promises:
        if kept != "forever" and seconds(objective.window) > seconds(kept):
            fitting = [window for window in WINDOWS if seconds(window) <= seconds(kept)]
            folders, _, last = setting.rpartition(".")
            hint = f"{folders}: {{{last}: {objective.window}}}" + (f", or window: {fitting[-1]}" if fitting else "")
            yield Problem(f"{key}.window", f"is longer than {setting} {kept}", objective.window, hint)
    if promises:
        yield from _pace_problems(promises, alerts)


def _pace_problems(promises: Sequence[Promise], alerts: Mapping[str, Any]) -> Iterator[Problem]:
    """A wide budget, a long window or a large share make the pace that alerts more errors than there are requests."""
    from components.catalogue import rule_file

    file = rule_file("slo")
    parameters = file.parameters if file else {}
    told: set[str] = set()
    for alert, name, hours in _PACES:
        own = alerts.get(alert) or {}
        if alerts.get(alert) is False:
            continue
        try:
            share = float(parameters[alert][name].read(own.get(name, parameters[alert][name].default)))
        except ValueError:
            continue  # alert_settings says so
        unreachable = [
            (hours / (24 * _days(objective) * (1 - objective.target)), key, objective)
            for key, objective in promises
            if share * 24 * _days(objective) / hours * (1 - objective.target) >= 1
        ]
        if unreachable and name in own:
            most, key, objective = min(unreachable, key=lambda each: each[0])
            message = f"is out of reach: {key} of {objective.target:.6g} burns less even when every request fails"
            yield Problem(f"alerts.{alert}.{name}", message, str(own[name]), f"below {most:.2%}")
            continue
        for _, key, objective in unreachable:
            if key not in told:
                told.add(key)
                least = 1 - hours / (24 * _days(objective) * share)
                hint = f"above {least:.1%} with a window of {objective.window}; a shorter window allows less"
                message = "is too low for burn rate alerts to fire"
                yield Problem(f"{key}.target", message, f"{objective.target:.6g}", hint)


def _days(objective: Availability | Latency) -> float:
    return seconds(objective.window) / 86400
