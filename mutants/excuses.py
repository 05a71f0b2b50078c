"""Mutants that say the same as the rule; mutants/excused.yaml names them, with a reason each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from components.yaml_text import load
from mutants.catalogue import Mutant

FILE = Path(__file__).with_name("excused.yaml")


@dataclass(frozen=True, slots=True)
class Excuse:
    """For the mutations of a rule that a pattern matches (`*` for anything)."""

    rule: str
    pattern: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Whether this mutant is meant."""
        return mutant.rule == self.rule and fnmatchcase(mutant.change, self.pattern)


def excuses(path: Path = FILE) -> list[Excuse]:
    """All of the file. Raises ValueError for one without a reason."""
    found = [
        Excuse(rule, str(pattern), str(reason or ""))
        for rule, patterns in (load(path.read_text(encoding="utf-8")) or {}).items()
        for pattern, reason in patterns.items()
    ]
    for excuse in found:
        if len(excuse.reason) < 10:
            raise ValueError(f"{path.name}: {excuse.rule}: {excuse.pattern}: say why in a line")
    return found


def idle(known: Iterable[Excuse], survivors: Iterable[Mutant], rules: set[str]) -> list[Excuse]:
    """The excuses for these rules that no survivor needs, and those for rules that do not exist at all."""
    survivors = list(survivors)
    return [e for e in known if e.rule in rules and not any(e.covers(mutant) for mutant in survivors)]
