"""In what one planned stack is weaker than another, aspect by aspect."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from operations.policies.model import Aspect
from operations.report.data import copies_changes
from operations.report.retentions import kept_text, retentions
from operations.report.rules import rule_changes
from operations.report.snapshot import Program, Snapshot
from operations.units import with_unit


@dataclass(frozen=True, slots=True)
class Weakness:
    """One value of the stack that should be the stronger: of both stacks, as people read it."""

    aspect: Aspect
    name: str
    """Letters, digits, dots and hyphens, the same for as long as the weakness lasts."""
    own: str
    other: str

    @property
    def id(self) -> str:
        """Within its rule."""
        return f"{self.aspect}/{self.name}"


def weaknesses(aspect: Aspect, own: Snapshot, other: Snapshot) -> list[Weakness]:
    """Everything of one aspect in which `own` is weaker than `other`."""
    return list(_BY_ASPECT[aspect](own, other))


def _weakness(aspect: Aspect, name: str, own: str, other: str) -> Weakness:
    return Weakness(aspect, re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-"), own or "none", other or "none")


def _retention(own: Snapshot, other: Snapshot) -> Iterator[Weakness]:
    mine, others = retentions(own), retentions(other)
    for name, length in others.items():
        if mine.get(name, 0) < length:
            kept = kept_text(name, mine[name]) if name in mine else ""
            yield _weakness("retention", name, kept, kept_text(name, length))


def _replicas(own: Snapshot, other: Snapshot) -> Iterator[Weakness]:
    mine, others = (Counter(program.group for program in each.programs.values()) for each in (own, other))
    for group, count in others.items():
        if mine[group] < count:
            yield _weakness("replicas", group, str(mine[group]), str(count))


def _alerts(own: Snapshot, other: Snapshot) -> Iterator[Weakness]:
    for change in rule_changes(other, own):
        if change.danger == "fewer-alerts":
            yield _weakness("alerts", change.name, "", change.before)
        elif change.danger == "looser-alerts":
            value = change.what.removesuffix(" loosened")
            yield _weakness("alerts", f"{change.name}.{value}", change.after, change.before)


def _access(own: Snapshot, other: Snapshot) -> Iterator[Weakness]:
    if other.login and not own.login:
        yield _weakness("access", "login", "", "TLS and a password")


def _backups(own: Snapshot, other: Snapshot) -> Iterator[Weakness]:
    if own.stated and other.stated:
        for change in copies_changes(other.stated.backup, own.stated.backup):
            if change.danger:
                yield _weakness("backups", change.what, change.after, change.before)


def _resources(own: Snapshot, other: Snapshot) -> Iterator[Weakness]:
    for name, program in other.programs.items():
        mine = own.programs.get(name)
        if mine and name == program.group:
            yield from _limits(name, mine, program)


def _limits(name: str, own: Program, other: Program) -> Iterator[Weakness]:
    if own.memory < other.memory:
        yield _weakness("resources", f"{name}.memory", f"{own.memory} MiB", f"{other.memory} MiB")
    if own.cpus < other.cpus:
        yield _weakness("resources", f"{name}.cpus", f"{own.cpus:g}", f"{other.cpus:g}")
    for volume, size in other.volumes.items():
        mine = own.volumes.get(volume)
        if size and mine and mine < size:
            yield _weakness("resources", f"{volume}.size", with_unit(mine, "bytes"), with_unit(size, "bytes"))


_BY_ASPECT: dict[Aspect, Callable[[Snapshot, Snapshot], Iterator[Weakness]]] = {
    "retention": _retention,
    "replicas": _replicas,
    "alerts": _alerts,
    "access": _access,
    "backups": _backups,
    "resources": _resources,
}
