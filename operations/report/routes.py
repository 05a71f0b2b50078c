"""Who is told of which alert, before and after: every alert of every owner is sent through both routing trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from components.config.base import duration_text, seconds
from components.notes import routed_labels
from components.promql import selectors
from components.services.alertmanager_routes import NOBODY
from operations.chain import receivers_of
from operations.report.change import Change, listed
from operations.report.flat import differing, file_of
from operations.report.receivers import receiver_changes
from operations.report.rules import Rule, rules_of
from operations.report.snapshot import Snapshot
from operations.route import numbered, walk

Labels = dict[str, str]
_PROBE_JOB = "probe"
"""Label `job` of every probe's series, whatever its scrape job is called."""
_TIMINGS = {
    "group_by": "grouped by",
    "group_wait": "waits for others",
    "group_interval": "news after",
    "repeat_interval": "repeated after",
    "mute": "muted in",
    "active": "only in",
}


class Tree:
    """The routing tree of one side."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.config = file_of(snapshot, "alertmanager", "alertmanager.yml")
        names: list[str] = []
        self._tree = numbered(self.config["route"], names) if self.config else {}
        self._routes = dict(zip(names, walk(self.config["route"]), strict=True)) if self.config else {}

    def taken(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """The routes that take an alert with these labels, in their order."""
        return [self._routes[name] for name in receivers_of(self._tree, labels)] if self._tree else []


def channels(route: Mapping[str, Any]) -> list[str]:
    """The names of the channels that a route's receiver stands for."""
    return [name for name in str(route["receiver"]).split(",") if name != NOBODY]


def _alerts(snapshot: Snapshot) -> list[Rule]:
    return [rule for rule in rules_of(snapshot) if "alert" in rule]


def route_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Label sets that go elsewhere or at another time, and receivers that mean something else."""
    trees = Tree(before), Tree(after)
    if not trees[0].config or not trees[1].config:
        return
    owners = (before.stated or after.stated), (after.stated or before.stated)
    sides = [
        {**_by_owner(snapshot, stated.owners if stated else ()), **_by_probe(snapshot)}
        for snapshot, stated in zip((before, after), owners, strict=True)
    ]
    moved: dict[tuple[str, str, str, str], list[Labels]] = {}
    for identity in [key for key in sides[1] if key in sides[0]]:
        routes = [tree.taken(side[identity]) for tree, side in zip(trees, sides, strict=True)]
        for what, old, new, danger in _differences(*routes):
            moved.setdefault((what, old, new, danger), []).append(sides[1][identity])
    for (what, old, new, danger), labels in sorted(moved.items()):
        section = "silence" if what in (_TIMINGS["mute"], _TIMINGS["active"]) else "routes"
        yield Change(section, described(labels), what, old, new, danger)
    yield from receiver_changes(before, after)


def _by_owner(snapshot: Snapshot, owners: Sequence[tuple[str, str]]) -> dict[Any, Labels]:
    """Label sets by what makes them the same on both sides: the alert, its place among those of its name, its owner.

    A service stays the same one when it goes to another team, of which another channel may be told.
    """
    found: dict[Any, Labels] = {}
    alerts = [rule for rule in _alerts(snapshot) if not _of_probes(rule)]
    for labels in routed_labels(snapshot.environment, owners, alerts):
        owner = labels.get("service") or labels["team"]
        found[_numbered(found, labels["alertname"], "service" in labels, owner)] = labels
    return found


def _by_probe(snapshot: Snapshot) -> dict[Any, Labels]:
    """The same of what probes raise, which belong to a team and to no service: a probe is known by its name."""
    found: dict[Any, Labels] = {}
    alerts = [rule for rule in _alerts(snapshot) if _of_probes(rule)]
    for job in file_of(snapshot, "prometheus", "prometheus.yml").get("scrape_configs") or ():
        own = {each.get("target_label"): each.get("replacement") for each in job.get("relabel_configs") or ()}
        if own.get("job") == _PROBE_JOB:
            for labels in routed_labels(snapshot.environment, [("", str(own["team"]))], alerts):
                found[_numbered(found, labels["alertname"], "probe", own["probe"])] = labels | {"probe": own["probe"]}
    return found


def _numbered(found: Mapping[Any, Labels], *identity: Any) -> Any:
    return next(key for number in count() if (key := (*identity, number)) not in found)


def _of_probes(rule: Rule) -> bool:
    return any(
        (matcher.name, matcher.value) == ("job", _PROBE_JOB)
        for selector in selectors(rule["expr"])
        for matcher in selector.matchers.matchers
    )


def _differences(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    mine, others = ([name for route in routes for name in channels(route)] for routes in (old, new))
    if sorted(mine) != sorted(others):
        before, after = (", ".join(sorted(names)) or "nobody" for names in (mine, others))
        yield "goes to", before, after, "lost-receivers" if {*mine} - {*others} else ""
        for key in ("mute", "active"):
            yield from _times(
                key, *(sorted({name for route in routes for name in route[key]}) for routes in (old, new))
            )
        return
    for name in sorted({*mine}):
        a, b = (next(route for route in routes if name in channels(route)) for routes in (old, new))
        for key in _TIMINGS:
            yield from _times(key, a[key], b[key])


def _times(key: str, old: Any, new: Any) -> Iterator[tuple[str, str, str, str]]:
    if _timing(old) != _timing(new):
        yield _TIMINGS[key], _timing(old) or "-", _timing(new) or "-", _silenced(key, old, new)


def _timing(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return duration_text(seconds(value)) if value else ""


def _silenced(key: str, old: Any, new: Any) -> str:
    more = (key == "mute" and {*new} - {*old}) or (key == "active" and new and {*new} != {*old})
    return "more-silence" if more else ""


def described(labels: Sequence[Labels]) -> str:
    """A set of label sets in few words: how many alerts of which severities and teams."""
    alerts = list(dict.fromkeys(each["alertname"] for each in labels))
    parts = [listed(alerts, 3)]
    for key in ("severity", "team", "service", "probe"):
        values = sorted({each.get(key, "") for each in labels} - {""})
        if values:
            parts.append(f"{key} {listed(values, 4)}")
    return "; ".join(parts)


def silence_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Inhibitions that are new or gone, and time intervals that mean other times."""
    old, new = (file_of(each, "alertmanager", "alertmanager.yml") for each in (before, after))
    if not old or not new:
        return
    rules = [{_inhibition(rule): None for rule in config.get("inhibit_rules") or ()} for config in (old, new)]
    for name, what in sorted(rules[1].keys() - rules[0].keys()):
        yield Change("silence", name, f"may be silenced by {what}", "no", "yes", "more-silence")
    for name, what in sorted(rules[0].keys() - rules[1].keys()):
        yield Change("silence", name, f"may be silenced by {what}", "yes", "no")
    times = [
        {each["name"]: each["time_intervals"] for each in config.get("time_intervals") or ()} for config in (old, new)
    ]
    for name in sorted(times[0].keys() & times[1].keys()):
        for path, mine, other in differing(times[0][name], times[1][name]):
            # Whether more or less is muted by it depends on the time of the year.
            yield Change("silence", f"time interval {name}", path or "times", mine, other, "more-silence")


def _inhibition(rule: Mapping[str, Any]) -> tuple[str, str]:
    same = f" with the same {', '.join(sorted(rule.get('equal') or ()))}" if rule.get("equal") else ""
    targets = sorted(rule["target_matchers"])
    return ", ".join(targets), ", ".join(sorted(rule["source_matchers"])) + same
