"""A stack's own numbers for alerts of the catalogue: `{threshold: 2%, for: 10m, severity: warning}`, or `off`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from components.config.base import is_duration
from components.config.errors import Problem, near

if TYPE_CHECKING:
    from components.catalogue import RuleFile

Severity = Literal["none", "warning", "critical", "emergency"]
_COMPARED = re.compile(r"([<>])=?\s*\$\{threshold\}")


def _off_or_settings(value: Any) -> Any:
    if value is not False and not isinstance(value, dict):
        raise ValueError("must be `off` without quotes, or a mapping such as {threshold: 2%, for: 10m}")
    return value


AlertSettings = Annotated[
    Literal[False] | dict[str, Any],
    BeforeValidator(_off_or_settings),
    Field(description="`off`, or its parameters, and `for` and `severity` where they should be others."),
]


def alert_problems(settings: Mapping[str, Any], dead_mans_switch: bool) -> Iterator[Problem]:
    """Names that the catalogue does not have, values of the wrong unit, and settings that undo each other."""
    if not settings:
        return
    # Only a stack that sets something pays for reading the whole catalogue.
    from components.catalogue import all_alerts

    known = all_alerts()
    for alert, own in settings.items():
        if alert not in known:
            hint = near(alert, known) or "docs/guide/alerts.md lists them all"
            yield Problem(f"alerts.{alert}", "is no alert of the catalogue", hint=hint)
        elif own is not False:
            yield from _problems_of(alert, own, known[alert].parameters.get(alert, {}))
        elif alert == "Watchdog" and dead_mans_switch:
            hint = "leave it on, or take alerting.dead_mans_switch away"
            yield Problem(
                f"alerts.{alert}", "is what alerting.dead_mans_switch waits for: without it, that calls", "off", hint
            )
    for name in sorted({file.subject for alert, file in known.items() if alert in settings}):
        file = next(file for file in known.values() if file.subject == name)
        yield from _crossed(settings, file)


def _problems_of(alert: str, own: dict[str, Any], parameters: Mapping[str, Any]) -> Iterator[Problem]:
    allowed = [*parameters, "for", "severity"]
    for name, value in own.items():
        key, shown = f"alerts.{alert}.{name}", repr(value)[:60]
        if name == "for":
            if value != "0s" and (not isinstance(value, str) or not is_duration(value)):
                yield Problem(key, "must be a duration such as 5m, or 0s to fire at once", shown)
        elif name == "severity":
            if value not in get_args(Severity):
                yield Problem(key, f"must be one of {', '.join(get_args(Severity))}", shown)
        elif name not in parameters:
            message = f"is no parameter of this alert; allowed here: {', '.join(allowed)}"
            yield Problem(key, message, hint=near(name, allowed))
        else:
            try:
                parameters[name].read(value)
            except ValueError as error:
                yield Problem(key, str(error), shown, hint=parameters[name].meaning)


def _crossed(settings: Mapping[str, Any], file: RuleFile) -> Iterator[Problem]:
    """Of two alerts on one expression, one silences the other: unless it is the stricter, the other is never seen."""
    expressions = {rule["alert"]: rule["expr"] for rule in file.rules() if "alert" in rule}
    for inhibit in file.inhibits:
        source, targets = inhibit["source"], inhibit["target"]
        for target in [targets] if isinstance(targets, str) else targets:
            operator = _COMPARED.search(expressions.get(source, ""))
            if operator and expressions[source] == expressions.get(target) and {source, target} & {*settings}:
                yield from _compared(settings, file, source, target, above=operator[1] == ">")


def _compared(settings: Mapping[str, Any], file: RuleFile, source: str, target: str, above: bool) -> Iterator[Problem]:
    if settings.get(source) is False or settings.get(target) is False:
        return
    limits = {}
    for alert in (source, target):
        parameter = file.parameters[alert]["threshold"]
        try:
            limits[alert] = parameter.read((settings.get(alert) or {}).get("threshold", parameter.default))
        except ValueError:
            return  # said already
    strict, mild = float(limits[source]), float(limits[target])
    if (strict > mild) if above else (strict < mild):
        return
    own, other = (target, source) if "threshold" in (settings.get(target) or {}) else (source, target)
    side = "above" if (own == source) == above else "below"
    words = file.parameters[other]["threshold"].in_words(limits[other])
    reason = "silences it" if other == source else "it silences"
    message = f"must be {side} the {words} of {other}, which {reason}"
    yield Problem(f"alerts.{own}.threshold", message, str((settings.get(own) or {}).get("threshold", "")))
