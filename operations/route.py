"""`route`: who gets an alert with certain labels, when, and what may silence it.

amtool answers, on copies of the rendered configuration. It only tells names of receivers, so in the copies each route,
and each rule of inhibition, has a receiver of its own: their names say which of them match.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.catalogue import all_alerts
from components.config import StackConfig
from components.config.base import Secret
from components.config.channels import Channel, EmailChannel, SlackChannel, WebhookChannel
from components.plan import plan_stack_file
from components.services.alertmanager_routes import DRILL, NOBODY, VERIFICATION, quoted
from components.spec import Plan
from components.yaml_text import dump, load
from operations import console, programs
from operations.errors import CommandError, UsageError
from operations.stored import rules

_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(.*)", re.DOTALL)
_TIMINGS = ("group_by", "group_wait", "group_interval", "repeat_interval")


def parse_labels(words: Sequence[str]) -> dict[str, str]:
    """Labels out of `name=value` words. A UsageError names the word that is none."""
    labels: dict[str, str] = {}
    for word in words:
        found = _LABEL.fullmatch(word)
        if not found:
            raise UsageError(f"{word!r} is no label", "write name=value, for example severity=critical team=payments")
        name, value = found.groups()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if name in labels:
            raise UsageError(f"the label {name} is there twice")
        labels[name] = value
    return labels


def file_data(plan: Plan, service: str, path: str) -> Any:
    """The data of a planned YAML file; None where it is not planned."""
    found = plan.service(service)
    return next((load(file.content) for file in found.files if file.path == path), None) if found else None


def rule_labels(plan: Plan, alert: str) -> dict[str, str]:
    """The labels that all rules of that name give their alerts; without those that come from the series."""
    labels = [rule.get("labels", {}) for _, rule in rules(plan) if rule.get("alert") == alert]
    if not labels:
        return {}
    shared = labels[0].items() & set.intersection(*(set(each.items()) for each in labels))
    return {name: value for name, value in sorted(shared) if "{{" not in value}


def walk(route: Mapping[str, Any], inherited: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Every route with what it inherits, in the order in which `numbered` counts; times to mute are not inherited."""
    above = inherited or {"matchers": []}
    own = {
        "receiver": route.get("receiver", above.get("receiver")),
        "matchers": [*above["matchers"], *route.get("matchers", ())],
        **{key: route.get(key, above.get(key)) for key in _TIMINGS},
        "mute": list(route.get("mute_time_intervals", ())),
        "active": list(route.get("active_time_intervals", ())),
        "continue": bool(route.get("continue", False)),
    }
    yield own
    for child in route.get("routes", ()):
        yield from walk(child, own)


def numbered(route: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """A copy of a routing tree in which each route has its own receiver; their names are added to `names`."""
    names.append(f"route-{len(names)}")
    return {**route, "receiver": names[-1], "routes": [numbered(child, names) for child in route.get("routes", ())]}


def receivers_of(
    amtool: Path, tree: Mapping[str, Any], rest: Mapping[str, Any], labels: Mapping[str, str]
) -> list[str]:
    """Names of the receivers that an alert with these labels reaches, as amtool says. A CommandError where it fails."""
    names = sorted({route["receiver"] for route in walk(tree)})
    with tempfile.TemporaryDirectory(prefix="observatory-route-") as folder:
        config = {**rest, "route": tree, "receivers": [{"name": name} for name in names]}
        (Path(folder) / "alertmanager.yml").write_text(dump(config), encoding="utf-8")
        words = [f"{name}={quoted(value)}" for name, value in labels.items()]
        arguments = ("--enable-feature=utf8-strict-mode", "config", "routes", "test", "--config.file=alertmanager.yml")
        answer = programs.run(amtool, [*arguments, "--", *words], Path(folder))
    reached = answer.text.splitlines()[-1].split(",") if answer.text else []
    if answer.code or not reached or not {*reached} <= {*names}:
        raise CommandError(f"amtool could not say where the alert goes: {answer.text or 'it said nothing'}")
    return reached


def matching_routes(amtool: Path, config: Mapping[str, Any], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The routes that take an alert, in their order, each with its receiver and timings."""
    names: list[str] = []
    tree = numbered(config["route"], names)
    rest = {"time_intervals": config["time_intervals"]} if "time_intervals" in config else {}
    routes = dict(zip(names, walk(config["route"]), strict=True))
    return [routes[name] for name in receivers_of(amtool, tree, rest, labels)]


def matching_inhibitions(amtool: Path, config: Mapping[str, Any], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rules of inhibition that may silence an alert, each with the labels that the silencing one has to share.

    `where` are labels that the rule asks for and that were not given: the alert's series may have them.
    """
    inhibitions = config.get("inhibit_rules") or []
    where = [[label for label in rule["equal"] if _present(label) in rule["target_matchers"]] for rule in inhibitions]
    where = [[label for label in needed if label not in labels] for needed in where]
    routes = []
    for index, rule in enumerate(inhibitions):
        assumed = [_present(label) for label in where[index]]
        matchers = [matcher for matcher in rule["target_matchers"] if matcher not in assumed]
        routes.append({"receiver": f"rule-{index}", "matchers": matchers, "continue": True})
    reached = receivers_of(amtool, {"receiver": NOBODY, "routes": routes}, {}, labels)
    return [
        {
            "source": [matcher for matcher in rule["source_matchers"] if matcher != f'{DRILL}=""'],
            "equal": {label: labels.get(label, "") for label in rule["equal"]},
            "where": where[index],
        }
        for index, rule in enumerate(inhibitions)
        if f"rule-{index}" in reached
    ]


def _present(label: str) -> str:
    return f'{label}!=""'


def describe(stack: StackConfig, plan: Plan, labels: Mapping[str, str], amtool: Path) -> dict[str, Any]:
    """The whole answer as data; keys are only ever added. Durations as Prometheus writes them."""
    config = file_data(plan, "alertmanager", "alertmanager.yml")
    routes = matching_routes(amtool, config, labels)
    channels = stack.alerting.channels
    for route in routes:
        route["channels"] = [name for name in route["receiver"].split(",") if name in channels]
    absent = {f'alertname="{name}"' for name in {*all_alerts()} - evaluated_alerts(plan)}
    return {
        "environment": plan.environment,
        "labels": dict(labels),
        "channels": sorted({name for route in routes for name in route["channels"]}),
        "routes": routes,
        "inhibited_by": [
            rule for rule in matching_inhibitions(amtool, config, labels) if absent.isdisjoint(rule["source"])
        ],
    }


def evaluated_alerts(plan: Plan) -> set[str]:
    """The names of all alerts that the stack has rules for."""
    return {rule["alert"] for _, rule in rules(plan) if "alert" in rule}


def channel_text(channel: Channel) -> str:
    """A channel in a few words, without secrets."""
    place = ""
    if isinstance(channel, SlackChannel):
        place = channel.channel or ""
    elif isinstance(channel, EmailChannel):
        place = ", ".join(channel.to)
    elif isinstance(channel, WebhookChannel) and not isinstance(channel.url, Secret):
        place = channel.url
    return f"{channel.type} {place}".rstrip()


def lines(stack: StackConfig, answer: Mapping[str, Any]) -> list[str]:
    """The answer for people."""
    found = ["alert " + ", ".join(f"{name}={quoted(value)}" for name, value in sorted(answer["labels"].items())), ""]
    for number, route in enumerate(answer["routes"], start=1):
        found.append(f"{number}. {console.paint(route['receiver'], 'bold')}")
        found += [f"   to         {name}: {channel_text(stack.alerting.channels[name])}" for name in route["channels"]]
        found.append(f"   taken by   {', '.join(route['matchers']) or 'the default: no other route takes it'}")
        groups = [label for label in route["group_by"] if label != DRILL]  # which a real alert has not
        found.append(f"   grouped by {', '.join(groups) or 'nothing: all in one message'}")
        found.append(
            f"   sent       {route['group_wait']} after the first alert; news every {route['group_interval']}; "
            f"again after {route['repeat_interval']}"
        )
        found += [f"   muted in   {name}" for name in route["mute"]]
        found += [f"   only in    {name}" for name in route["active"]]
    found += ["", "may be silenced by an alert with" if answer["inhibited_by"] else "no alert can silence it"]
    for rule in answer["inhibited_by"]:
        where = f", where it has {', '.join(rule['where'])}" if rule["where"] else ""
        found.append(f"   {', '.join(rule['source'])} and the same {', '.join(rule['equal'])}{where}")
    return found


def absent_alert(config: StackConfig, plan: Plan, alert: str) -> str:
    """Why the stack does not evaluate an alert of that name; empty where it does."""
    evaluated = evaluated_alerts(plan)
    if alert in evaluated:
        return ""
    if config.alerts.get(alert) is False:
        reason = "the stack file switches it off"
    elif file := all_alerts().get(alert):
        reason = f"nothing in it exposes what the alert asks for ({file.subject})"
    else:
        near = difflib.get_close_matches(alert, {*evaluated, *all_alerts()}, n=1)
        reason = "the catalogue has no such alert" + (f"; did you mean {near[0]}?" if near else "")
    return f"this stack does not evaluate {alert}: {reason}"


def route_command(stack: str, words: Sequence[str], expected: Sequence[str], as_json: bool) -> int:
    """Say where an alert goes; with expected channels, 1 where it goes elsewhere."""
    given = parse_labels(words)
    config, plan = plan_stack_file(stack)
    known = [*config.alerting.channels, NOBODY]
    for name in expected:
        if name not in known:
            raise UsageError(f"--expect {name}: no channel is called that", f"channels: {', '.join(known)}")
    amtool = programs.find("amtool")
    if amtool is None:
        raise CommandError(
            "amtool is not on this machine, and it is what knows where alerts go", "`make ready` gets it"
        )
    owner = next((each.team for each in config.services if each.name == given.get("service")), None)
    owned = {"team": owner} if owner else {}
    labels = {"environment": plan.environment, **owned, **rule_labels(plan, given.get("alertname", "")), **given}
    answer = describe(config, plan, labels, amtool)
    if as_json:
        console.print_json(answer)
    else:
        console.say("\n".join(lines(config, answer)))
    if "alertname" in given and (absent := absent_alert(config, plan, given["alertname"])):
        console.note(f"hint: {absent}")
    if not answer["channels"] and VERIFICATION not in labels:
        console.note("hint: nobody is told; name a channel in alerting.default_channels, or make a route that takes it")
    told = [name for each in answer["routes"] for name in each["channels"]]
    for name in sorted({name for name in told if told.count(name) > 1}):
        console.note(f"hint: {name} is told {told.count(name)} times, once by each of its routes")
    wanted, reached = {*expected} - {NOBODY}, {*answer["channels"]}
    if expected and wanted != reached:
        console.note(f"expected {_named(wanted)}, but {_named(reached)} would be told")
        return 1
    return 0


def _named(channels: set[str]) -> str:
    return ", ".join(sorted(channels)) or NOBODY
