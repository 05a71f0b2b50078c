"""Whether a route can match an alert and send it: values that labels have, no contradiction, times left to send."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import get_args

from components.config.alert_settings import Severity
from components.config.errors import Problem, near
from components.config.routing import WEEKDAYS, Route, TimeInterval

_WEEK = 7 * 1440


def route_problems(
    routes: Sequence[Route], intervals: Mapping[str, Sequence[TimeInterval]], own_rules: bool = False
) -> Iterator[Problem]:
    """Everything wrong with single routes; their names of channels and intervals are looked at elsewhere.

    With rules of the user's own, any value may be one of theirs.
    """
    for index, route in enumerate(routes):
        key = f"alerting.routes[{index}]"
        if not own_rules:
            yield from _value_problems(f"{key}.match", route.match)
            yield from _value_problems(f"{key}.not_match", route.not_match)
        for label in sorted({*route.match} & {*route.not_match}):
            for value in sorted({*_listed(route.match[label])} & {*_listed(route.not_match[label])}):
                yield Problem(f"{key}.not_match.{label}", "is in match, too: no alert is both", value)
        muted = [entry for name in route.mute for entry in intervals.get(name, ())]
        if _is_always(muted):
            hint = "leave hours of the week out, or take the route away and write `default_channels: []`"
            yield Problem(
                f"{key}.mute", "covers the whole week: nothing would ever be sent", ", ".join(route.mute), hint
            )


def team_notes(routes: Sequence[Route], teams: Collection[str]) -> list[str]:
    """Teams in routes that own nothing in this stack. They may own something in another one, so it is no error."""
    found = []
    for index, route in enumerate(routes):
        for place, labels in (("match", route.match), ("not_match", route.not_match)):
            for team in sorted({*_listed(labels.get("team", ()))} - {*teams}):
                hint = f"; {near(team, teams)}" if near(team, teams) else ""
                found.append(f"alerting.routes[{index}].{place}: team {team} owns no service or probe here{hint}")
    return found


def _listed(values: str | Sequence[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _value_problems(key: str, labels: Mapping[str, str | Sequence[str]]) -> Iterator[Problem]:
    for label in ("severity", "category", "alertname"):
        if label not in labels:
            continue
        allowed = _values_of(label)
        for value in dict.fromkeys(_listed(labels[label])):
            if value not in allowed:
                known = (
                    "docs/guide/alerts.md lists them all" if label == "alertname" else f"there are {', '.join(allowed)}"
                )
                message = f"no alert of the catalogue has this {label}; {known}"
                yield Problem(f"{key}.{label}", message, value or '""', near(value, allowed))


def _values_of(label: str) -> tuple[str, ...]:
    """All values that this label has on alerts."""
    if label == "severity":
        return get_args(Severity)
    # Only a stack that routes by these pays for reading the whole catalogue.
    from components.catalogue import all_alerts

    alerts = all_alerts()
    if label == "alertname":
        return tuple(sorted(alerts))
    rules = (rule for file in alerts.values() for rule in file.rules())
    return tuple(sorted({rule["labels"][label] for rule in rules if "alert" in rule}))


def _is_always(entries: Iterable[TimeInterval]) -> bool:
    """Whether the entries of one time zone leave no minute of a week out; dates and years leave some out."""
    covered: dict[str, set[int]] = {}
    for entry in entries:
        if not (entry.days_of_month or entry.months or entry.years):
            covered.setdefault(entry.location, set()).update(_minutes(entry))
    return any(len(minutes) == _WEEK for minutes in covered.values())


def _minutes(entry: TimeInterval) -> Iterator[int]:
    """The minutes of a week, which begins on sunday, that an entry holds."""
    spans = [(_minute(span.start_time), _minute(span.end_time)) for span in entry.times] or [(0, 1440)]
    for days in entry.weekdays or (f"{WEEKDAYS[0]}:{WEEKDAYS[-1]}",):
        first, _, last = days.partition(":")
        for day in range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1):
            for begin, end in spans:
                yield from range(day * 1440 + begin, day * 1440 + end)


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
