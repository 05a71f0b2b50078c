"""Alertmanager's routing tree and the time intervals that mute or activate parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.config.alerting import WATCHDOG_INTERVAL, Alerting
from components.config.routing import Route, TimeInterval, Values
from components.config.services import MonitoredService
from components.services.alertmanager_receivers import Receivers

NOBODY = "nobody"
"""The receiver of alerts that the stack file sends nowhere: shown in the UIs, delivered to no channel."""
VERIFICATION = "verification"
"""Receiver and alert label of `./observatory verify`: Prometheus acknowledges, so no outside service is needed."""
DRILL = "drill"
"""Label of the alerts of `./observatory drill`. They have groups of their own, or they would delay real ones."""

# One message a day. A group_wait of a day too would lose what fires and ends within the first one: Alertmanager drops
# a group of which nothing fires any more before its first message. So the first problem after a quiet time is told
# after 10 minutes, with all that broke together; what fires and ends from then on arrives in one message a day later.
# The repeat is due before the day is over: at exactly a day, Alertmanager finds its last message a few milliseconds
# too young and would skip every other day. It looks only once a group_interval, so it is still one message a day.
_DIGEST = {
    "daily": {
        "group_by": ["category", "team", DRILL],
        "group_wait": "10m",
        "group_interval": "1d",
        "repeat_interval": "23h",
    }
}


def routing_tree(alerting: Alerting, services: tuple[MonitoredService, ...], receivers: Receivers) -> dict[str, Any]:
    """The whole tree; receivers that it needs are made in `receivers`.

    The stack's own routes come first, so that no route of the stack file can take or mute their alerts.
    """
    default = receivers.named(alerting.default_channels) if alerting.default_channels else NOBODY
    own = [_verification(), _watchdog(alerting)]
    routes = [_route(route, receivers) for route in alerting.routes]
    by_service = [
        {
            "receiver": receivers.named(service.channels),
            "matchers": [_matcher("service", "=", service.name)],
            "continue": True,
        }
        for service in services
        if service.channels
    ]
    if by_service:
        # A node of their own for the routes: an alert that has gone to its service's channels counts as taken, so
        # that beside them, it would not reach the default channels any more.
        routes = [*by_service, {"receiver": default, **({"routes": routes} if routes else {})}]
    return {
        "receiver": default,
        "group_by": [*alerting.group_by, DRILL],
        "group_wait": alerting.group_wait,
        "group_interval": alerting.group_interval,
        "repeat_interval": alerting.repeat_interval,
        "routes": [*own, *routes],
    }


def _verification() -> dict[str, Any]:
    return {
        "receiver": VERIFICATION,
        "matchers": [f'{VERIFICATION}!=""'],
        "group_by": [VERIFICATION],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "1h",
    }


def _watchdog(alerting: Alerting) -> dict[str, Any]:
    switch = alerting.dead_mans_switch
    route: dict[str, Any] = {"receiver": switch.channel if switch else NOBODY, "matchers": ['alertname="Watchdog"']}
    if switch:
        route |= {
            "group_wait": "0s",
            "group_interval": WATCHDOG_INTERVAL,
            "repeat_interval": switch.repeat_interval,
        }
    return route


def _route(route: Route, receivers: Receivers) -> dict[str, Any]:
    matchers = [_matcher(label, "=", value) for label, value in route.match.items()]
    matchers += [_matcher(label, "!", value) for label, value in route.not_match.items()]
    timings: dict[str, Any] = dict(_DIGEST[route.digest]) if route.digest else {}
    for key in ("group_by", "group_wait", "group_interval", "repeat_interval"):
        if value := getattr(route, key):
            timings[key] = [*value, DRILL] if key == "group_by" else value
    found = {"receiver": receivers.named(route.channels), "matchers": matchers, **timings}
    if route.mute:
        found["mute_time_intervals"] = list(route.mute)
    if route.active:
        found["active_time_intervals"] = list(route.active)
    return found | ({"continue": True} if route.continue_ else {})


def _matcher(label: str, operator: str, value: Values) -> str:
    """`=` and `!=` for one value, `=~` and `!~` for several, each of them meant literally."""
    if isinstance(value, str):
        return f"{label}{operator if operator == '=' else '!='}{quoted(value)}"
    return f"{label}{operator}~{quoted('|'.join(map(_literal, value)))}"


def quoted(text: str) -> str:
    """A value as Alertmanager reads it in a matcher, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _literal(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in text)


def time_intervals(intervals: Mapping[str, tuple[TimeInterval, ...]]) -> list[dict[str, Any]]:
    """The named times, in Alertmanager's own form, which the models follow."""
    return [
        {
            "name": name,
            "time_intervals": [
                {key: value for key, value in interval.model_dump(mode="json").items() if value} for interval in parts
            ],
        }
        for name, parts in sorted(intervals.items())
    ]
