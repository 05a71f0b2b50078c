"""Which alerts are drilled: those that are named, or one for each set of receivers."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from components.spec import Plan
from operations import programs
from operations.drill.rules import Drilled
from operations.errors import CommandError, UsageError
from operations.route import file_data, receivers_of


def chosen(plan: Plan, known: Mapping[str, Drilled], alerts: Sequence[str], each_receiver: bool) -> list[Drilled]:
    """The alerts to drill, in order, each once. A UsageError names one that cannot be."""
    for alert in alerts:
        if alert not in known:
            near = difflib.get_close_matches(alert, known, 1)
            hint = f"did you mean {near[0]}?" if near else "without a name, the command lists those that can be"
            raise UsageError(f"{alert} cannot be drilled: it is not planned here, or no unit test makes it fire", hint)
    found = {alert: known[alert] for alert in alerts}
    if each_receiver:
        found |= {each.alert: each for each in one_for_each_receiver(plan, known)}
    return list(found.values())


def one_for_each_receiver(plan: Plan, known: Mapping[str, Drilled]) -> list[Drilled]:
    """The first alert that goes to each set of receivers, by the labels that its series and its rule give it."""
    amtool = programs.find("amtool")
    if amtool is None:
        raise CommandError("amtool is not on this machine", "`make ready` gets it")
    config = file_data(plan, "alertmanager", "alertmanager.yml")
    rest = {"time_intervals": config["time_intervals"]} if "time_intervals" in config else {}
    found: dict[tuple[str, ...], Drilled] = {}
    for each in known.values():
        labels = {name: value for name, value in each.planned[0].get("labels", {}).items() if "{{" not in value}
        labels |= {"alertname": each.alert, "environment": plan.environment, "drill": each.identity}
        found.setdefault(tuple(sorted(receivers_of(amtool, config["route"], rest, labels))), each)
    return list(found.values())
