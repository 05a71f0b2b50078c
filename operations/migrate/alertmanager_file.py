"""An alertmanager.yml: receivers become channels, the tree of routes a list, time intervals stay."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from components.config.alerting import RETENTION
from components.config.base import duration_text, is_duration, seconds
from components.config.routing import Route, TimeInterval
from operations.migrate import names
from operations.migrate.matchers import CannotBeSaid, Matches, matchers_of, narrowed
from operations.migrate.output import Bundle, attempt
from operations.migrate.receivers import channels_of
from operations.migrate.report import Node

_TIMINGS = ("group_wait", "group_interval", "repeat_interval")


def migrate_alertmanager(bundle: Bundle, root: Node) -> None:
    """The whole file."""
    attempt(bundle, root, "file", lambda: _both_times(bundle, root))


def _both_times(bundle: Bundle, root: Node) -> None:
    """First on a copy: what no route leads to in the end is not made, and said to be unused."""
    trial = copy.deepcopy(bundle)
    channels = _migrate(trial, root, frozenset())
    alerting = trial.stack["alerting"]
    routes = alerting.get("routes") or []
    used = {*alerting["default_channels"], *(name for route in routes for name in route["channels"])}
    idle = {receiver for receiver, made in channels.items() if not used & {*made}}
    times = {name for route in routes for key in ("mute", "active") for name in route.get(key, ())}
    _migrate(bundle, root, frozenset(idle | ({*(alerting.get("time_intervals") or {})} - times)))


def _migrate(bundle: Bundle, root: Node, unused: frozenset[str]) -> dict[str, list[str]]:
    """Returns receivers with the names of their channels. What is in `unused` is left out."""
    report = bundle.report
    general = root.get("global")
    alerting = bundle.stack.setdefault("alerting", {})
    channels: dict[str, list[str]] = {}
    receivers = root.get("receivers")
    for receiver in receivers.items() if receivers else ():
        channels |= channels_of(bundle, receiver, general.value if general else {}, unused)
    if general:
        _general(bundle, general)
    for key in ("time_intervals", "mute_time_intervals"):
        if found := root.get(key):
            _time_intervals(bundle, found, unused)
    if route := root.get("route"):
        _root_route(bundle, route, channels)
    if rules := root.get("inhibit_rules"):
        for each in rules.items():
            _inhibition(bundle, each)
    if templates := root.get("templates"):
        why = "messages are the product's own: with summary, description, links and what fires"
        report.impossible(templates, "templates", ", ".join(map(str, templates.value)), why)
    report.rest(root, "the stack has no such setting of Alertmanager")
    alerting.setdefault("default_channels", [])
    return channels


def _general(bundle: Bundle, node: Node) -> None:
    told = {"slack_api_url", "smtp_smarthost", "smtp_from", "smtp_auth_username", "smtp_auth_password"}
    told |= {"smtp_require_tls", "pagerduty_url", "opsgenie_api_key", "opsgenie_api_url", "slack_api_url_file"}
    told |= {"smtp_auth_password_file", "opsgenie_api_key_file"}
    for each in node.items():
        name = str(each.path[-1])
        if name in told:
            bundle.report.carried(each, "setting", name, "is part of each channel that needs it")
    bundle.report.rest(node, "the stack sets this itself")


def _root_route(bundle: Bundle, node: Node, channels: dict[str, list[str]]) -> None:
    alerting, differences = bundle.stack["alerting"], []
    receiver = str(node.value.get("receiver", ""))
    alerting["default_channels"] = list(channels.get(receiver, ()))
    labels = [str(label) for label in node.value.get("group_by") or ()]
    if "..." in labels:
        differences.append("group_by of all labels is not known here; messages are by alert and service")
    elif labels:
        alerting["group_by"] = list(dict.fromkeys(labels))
    timings = {key: str(node.value[key]) for key in _TIMINGS if is_duration(str(node.value.get(key) or ""))}
    alerting |= _kept(timings, "5m", "4h", differences)
    if not alerting["default_channels"]:
        differences.append(f"receiver {receiver} sends nothing, so such alerts are only shown")
    keys = ("receiver", "group_by", *_TIMINGS)
    bundle.report.judged(node, "default route", receiver or "none", differences, keys=keys)
    flat: list[dict[str, Any]] = []
    if routes := node.get("routes"):
        for route in routes.items():
            _flatten(bundle, route, ({}, {}), {}, channels, flat)
    if flat:
        alerting["routes"] = flat
    bundle.report.rest(node, "the default route has no such setting here")


def _flatten(
    bundle: Bundle,
    node: Node,
    above: Matches,
    inherited: dict[str, Any],
    channels: dict[str, list[str]],
    flat: list[dict[str, Any]],
) -> None:
    """A route with those below it: first those, as each of them narrows it, then the route itself."""
    report, data = bundle.report, node.value
    if not isinstance(data, dict):
        report.impossible(node, "route", node.place, "it is no mapping")
        return
    own = {key: data[key] for key in ("receiver", "group_by", *_TIMINGS) if data.get(key)}
    settings = inherited | own
    receiver = str(settings.get("receiver", ""))
    keys: tuple[str, ...] = ("receiver", "match", "match_re", "matchers", "continue", "group_by", *_TIMINGS)
    keys += ("mute_time_intervals", "active_time_intervals")
    try:
        matches = narrowed(above, matchers_of(data))
    except CannotBeSaid as error:
        why = f"{error}; so the routes below it cannot be either" if data.get("routes") else str(error)
        report.impossible(node, "route", receiver, why, "give the alerts a label that routes can go by")
        return
    differences: list[str] = []
    children = node.get("routes")
    for child in children.items() if children else ():
        _flatten(bundle, child, matches, settings, channels, flat)
    if children:
        differences.append("stands after the routes below it, which are narrowed by what it matches")
        if data.get("continue"):
            differences.append("an alert that a route below takes does not go on from there")
    told = channels.get(receiver)
    if not told:
        why = f"receiver {receiver} sends nothing, and a route has to lead to a channel"
        report.impossible(node, "route", receiver, why, "switch these alerts off by `alerts:`", keys=keys)
    elif not any(matches):
        why = "it matches every alert; what stands before it is asked first, the default channels are for the rest"
        report.impossible(node, "route", receiver, why, "name its receiver in default_channels", keys=keys)
    else:
        route = _route(bundle, matches, told, settings, data, differences)
        if wrong := _wrong(route):
            report.impossible(node, "route", receiver, wrong, keys=keys)
        else:
            flat.append(route)
            report.judged(node, "route", receiver, differences, keys=keys)
    report.rest(node, "a route has no such setting here")


def _route(
    bundle: Bundle,
    matches: Matches,
    told: list[str],
    settings: dict[str, Any],
    data: dict[str, Any],
    differences: list[str],
) -> dict[str, Any]:
    route: dict[str, Any] = {
        key: {label: values[0] if len(values) == 1 else values for label, values in found.items()}
        for key, found in zip(("match", "not_match"), matches, strict=True)
        if found
    }
    route["channels"] = list(told)
    labels = [str(label) for label in settings.get("group_by") or ()]
    if "..." in labels:
        differences.append("group_by of all labels is not known here")
    elif labels:
        route["group_by"] = list(dict.fromkeys(labels))
    alerting = bundle.stack["alerting"]
    general = (alerting.get("group_interval", "5m"), alerting.get("repeat_interval", "4h"))
    timings = {key: str(settings[key]) for key in _TIMINGS if is_duration(str(settings.get(key) or ""))}
    route |= _kept(timings, *general, differences)
    known = alerting.get("time_intervals") or {}
    for key in ("mute", "active"):
        wanted = [names.slug(str(name), "times") for name in data.get(f"{key}_time_intervals") or ()]
        if unknown := [name for name in wanted if name not in known]:
            differences.append(f"not {key} {', '.join(unknown)}: that time interval could not be carried over")
        if found := [name for name in dict.fromkeys(wanted) if name in known]:
            route[key] = found
    return route | ({"continue": True} if data.get("continue") else {})


def _wrong(route: dict[str, Any]) -> str:
    try:
        Route.model_validate(route)
    except ValidationError as error:
        return str(error.errors(include_url=False, include_input=False)[0]["msg"]).removeprefix("Value error, ")
    return ""


def _kept(timings: dict[str, str], group: str, repeat: str, differences: list[str]) -> dict[str, str]:
    """Timings that Alertmanager keeps: it repeats at a multiple of group_interval, and remembers for 120 h."""
    if not {"group_interval", "repeat_interval"} & {*timings}:
        return timings
    step = seconds(timings.get("group_interval", group))
    wanted = seconds(timings.get("repeat_interval", repeat))
    steps = max(1, min(round(wanted / step), int(seconds(RETENTION) // step)))
    made = duration_text(steps * step)
    if steps * step != wanted:
        differences.append(f"repeat_interval {duration_text(wanted)} became {made}, a multiple of group_interval")
        return timings | {"repeat_interval": made}
    return timings


def _time_intervals(bundle: Bundle, node: Node, unused: frozenset[str]) -> None:
    found = bundle.stack["alerting"].setdefault("time_intervals", {})
    for each in node.items():
        raw = each.value if isinstance(each.value, dict) else {}
        name = names.slug(str(raw.get("name", "")), "times")
        entries = [_interval(entry) for entry in raw.get("time_intervals") or () if isinstance(entry, dict)]
        try:
            for entry in entries:
                TimeInterval.model_validate(entry)
            if not entries:
                raise ValueError("it names no times")
        except ValidationError as error:
            why = str(error.errors(include_url=False, include_input=False)[0]["msg"])
            bundle.report.impossible(each, "time interval", name, why.removeprefix("Value error, "))
            continue
        except ValueError as error:
            bundle.report.impossible(each, "time interval", name, str(error))
            continue
        if name in unused:
            bundle.report.impossible(each, "time interval", name, "no route names it")
            continue
        found[name] = entries
        bundle.report.carried(each, "time interval", name)
    if not found:
        del bundle.stack["alerting"]["time_intervals"]


def _interval(entry: dict[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in entry.items() if value}
    for key in ("weekdays", "months"):
        made |= {key: [str(value).lower() for value in made[key]]} if key in made else {}
    for key in ("days_of_month", "years"):
        made |= {key: [str(value) for value in made[key]]} if key in made else {}
    return made


def _inhibition(bundle: Bundle, node: Node) -> None:
    """The product has inhibitions of its own; the usual one, a worse alert over a milder one, is among them."""
    text = str(node.value)
    name = f"rule {node.path[-1]}"
    if "severity" in text and "alertname" in text:
        how = "a worse alert silences the milder one of the same name, service and instance"
        bundle.report.approximated(node, "inhibition", name, how)
    else:
        bundle.report.impossible(node, "inhibition", name, "inhibitions belong to the product's rules", "")
