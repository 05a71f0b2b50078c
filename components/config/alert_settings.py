"""A stack's own numbers for alerts of the catalogue: `{threshold: 2%, for: 10m, severity: warning}`, or `off`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from components.config.base import is_duration
from components.config.errors import Problem

Severity = Literal["none", "warning", "critical", "emergency"]
AlertSettings = Annotated[
    Literal[False] | dict[str, Any],
    Field(description="`off`, or its parameters, and `for` and `severity` where they should be others."),
]


def alert_problems(settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Names that the catalogue does not have, and values of the wrong unit."""
    if not settings:
        return
    # Only a stack that sets something pays for reading the whole catalogue.
    from components.catalogue import all_alerts

    known = all_alerts()
    for alert, own in settings.items():
        if alert not in known:
            near = difflib.get_close_matches(alert, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/guide/alerts.md lists them all"
            yield Problem(f"alerts.{alert}", "is no alert of the catalogue", hint=hint)
        elif own is not False:
            yield from _problems_of(alert, own, known[alert].parameters.get(alert, {}))


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
            near = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else ""
            yield Problem(key, f"is no parameter of this alert; allowed here: {', '.join(allowed)}", hint=hint)
        else:
            try:
                parameters[name].read(value)
            except ValueError as error:
                yield Problem(key, str(error), shown, hint=parameters[name].meaning)
