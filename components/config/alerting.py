"""Where alerts go: channels, routes, the dead man's switch, and what must hold between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from components.config.base import Duration, Model, Name, NotEmpty, Url, seconds
from components.config.channels import Channel
from components.config.errors import Problem
from components.config.route_checks import route_problems
from components.config.routing import GroupBy, Route, TimeInterval
from components.config.services import MonitoredService

OWN_RECEIVERS = ("nobody", "verification")
"""Alertmanager's receivers that are always there."""
RETENTION = "120h"
"""How long Alertmanager remembers what it has sent; a longer repeat_interval would be cut to it."""
WATCHDOG_INTERVAL = "1m"
"""How often Alertmanager looks whether the dead man's switch is due."""


class DeadMansSwitch(Model):
    """Where the always-firing Watchdog alert goes: a service that calls you when it stops arriving."""

    channel: Name = Field(description="Name of a channel.")
    repeat_interval: Duration = Field(default="5m", description="How often it calls; full minutes.")


class Alerting(Model):
    """Alert delivery."""

    channels: dict[Name, Channel] = Field(default_factory=dict, description="Name to channel; each must be in use.")
    default_channels: tuple[Name, ...] = Field(
        default=(), description="Receive what no route takes. Empty: such alerts are only shown in the UIs."
    )
    routes: tuple[Route, ...] = Field(default=(), description="Asked in their order; the first that matches counts.")
    time_intervals: dict[Name, Annotated[tuple[TimeInterval, ...], NotEmpty()]] = Field(
        default_factory=dict, description="Name to times, for `mute` and `active` of routes; each must be in use."
    )
    group_by: GroupBy = Field(
        default=("alertname", "service"), description="Alerts with the same values of these labels share a message."
    )
    group_wait: Duration = Field(default="30s", description="From the first alert of a group to its message.")
    group_interval: Duration = Field(default="5m", description="From one message of a group to the next with news.")
    repeat_interval: Duration = Field(
        default="4h", description="From one message to the same again; a multiple of group_interval, at most 120h."
    )
    dead_mans_switch: DeadMansSwitch | None = Field(
        default=None, description="Who is called as long as alerts arrive. Default: nobody."
    )
    runbooks_url: Url | None = Field(default=None, description="Where the pages of runbooks/ are published.")


def alerting_problems(
    alerting: Alerting, services: Sequence[MonitoredService], own_rules: bool = False
) -> Iterator[Problem]:
    """Names that are not defined or not used, and timings that Alertmanager would not keep."""
    yield from _channel_problems(alerting, services)
    yield from _interval_problems(alerting)
    yield from _timing_problems(alerting)
    yield from route_problems(alerting.routes, alerting.time_intervals, own_rules)


def _channel_problems(alerting: Alerting, services: Sequence[MonitoredService]) -> Iterator[Problem]:
    named = [("alerting.default_channels", alerting.default_channels)]
    named += [(f"alerting.routes[{index}].channels", route.channels) for index, route in enumerate(alerting.routes)]
    named += [(f"services[{index}].channels", service.channels) for index, service in enumerate(services)]
    if alerting.dead_mans_switch:
        named.append(("alerting.dead_mans_switch.channel", (alerting.dead_mans_switch.channel,)))
    known = ", ".join(sorted(alerting.channels)) or "none is defined"
    for key, names in named:
        for name in dict.fromkeys(names):
            if name not in alerting.channels:
                yield Problem(key, f"no channel is called that; channels: {known}", name)
            if names.count(name) > 1:
                yield Problem(key, "is there twice; it would get each alert twice", name)
    for name in sorted({*alerting.channels} & {*OWN_RECEIVERS}):
        yield Problem(f"alerting.channels.{name}", "is the name of a receiver of the stack itself")
    if "access" in alerting.channels:
        yield Problem("alerting.channels.access", "is the name of a secret of the stack itself")
    for name in sorted({*alerting.channels} - {name for _, names in named for name in names}):
        hint = "name it in default_channels, a route, a service or dead_mans_switch"
        yield Problem(f"alerting.channels.{name}", "gets no alert", hint=hint)


def _interval_problems(alerting: Alerting) -> Iterator[Problem]:
    known = ", ".join(sorted(alerting.time_intervals)) or "none is defined"
    used: set[str] = set()
    for index, route in enumerate(alerting.routes):
        for key, names in (("mute", route.mute), ("active", route.active)):
            used |= {*names}
            for name in dict.fromkeys(names):
                if name not in alerting.time_intervals:
                    message = f"no time interval is called that; time intervals: {known}"
                    yield Problem(f"alerting.routes[{index}].{key}", message, name)
        for name in sorted({*route.mute} & {*route.active}):
            yield Problem(f"alerting.routes[{index}].mute", "is in active, too: nothing would ever be sent", name)
    for name in sorted({*alerting.time_intervals} - used):
        hint = "name it in `mute` or `active` of a route"
        yield Problem(f"alerting.time_intervals.{name}", "is not used", hint=hint)


def _timing_problems(alerting: Alerting) -> Iterator[Problem]:
    timings = [("alerting", alerting.group_interval, alerting.repeat_interval)]
    timings += [
        (
            f"alerting.routes[{index}]",
            route.group_interval or alerting.group_interval,
            route.repeat_interval or alerting.repeat_interval,
        )
        for index, route in enumerate(alerting.routes)
        if route.group_interval or route.repeat_interval
    ]
    if alerting.dead_mans_switch:
        repeat = alerting.dead_mans_switch.repeat_interval
        timings.append(("alerting.dead_mans_switch", WATCHDOG_INTERVAL, repeat))
    for place, group, repeat in timings:
        key = f"{place}.repeat_interval"
        if seconds(repeat) > seconds(RETENTION):
            reason = f"must be at most {RETENTION}: Alertmanager forgets by then what it has sent, and repeats"
            yield Problem(key, reason, repeat)
        elif round(seconds(repeat) * 1000) % round(seconds(group) * 1000):
            reason = f"must be a multiple of group_interval {group}: Alertmanager repeats at no other time"
            yield Problem(key, reason, repeat)
