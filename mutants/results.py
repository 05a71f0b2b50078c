"""What a run found, as a table for people and as data for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mutants.catalogue import Mutant
from mutants.excuses import Excuse

GOAL = 0.95
"""Share of a file's mutants that its tests have to kill; those with an excuse are left out of the account."""


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one file, or of all."""

    subject: str
    mutants: int
    killed: int
    excused: int

    @property
    def survived(self) -> int:
        """Neither killed nor excused."""
        return self.mutants - self.killed - self.excused

    @property
    def share(self) -> float:
        """Killed, of those that somebody could kill."""
        return self.killed / (self.mutants - self.excused) if self.mutants > self.excused else 1.0

    @property
    def enough(self) -> bool:
        """Whether the goal is reached."""
        return self.share >= GOAL


@dataclass(frozen=True, slots=True)
class Results:
    """Of a run: every mutant with its end."""

    killed: Sequence[Mutant]
    excused: Sequence[tuple[Mutant, Excuse]]
    survived: Sequence[Mutant]

    def scores(self) -> list[Score]:
        """One for each file in order of names, then the sum."""
        killed = Counter(mutant.subject for mutant in self.killed)
        excused = Counter(mutant.subject for mutant, _ in self.excused)
        survived = Counter(mutant.subject for mutant in self.survived)
        each = [
            Score(name, killed[name] + excused[name] + survived[name], killed[name], excused[name])
            for name in sorted({*killed, *excused, *survived})
        ]
        total = Score("all", sum(s.mutants for s in each), sum(s.killed for s in each), sum(s.excused for s in each))
        return [*each, total]

    def enough(self) -> bool:
        """Whether every file reaches the goal."""
        return all(score.enough for score in self.scores())

    def report(self) -> str:
        """Survivors first, then the table, so that the figures stand last on the screen."""
        lines = []
        place = ("", "", "")
        for mutant in sorted(self.survived, key=lambda each: (each.subject, each.place)):
            if place != (place := (mutant.subject, mutant.rule, mutant.before)):
                lines += ["", f"rules/{mutant.subject}.yaml: {mutant.rule}", f"    {_flat(mutant.before)}"]
            lines.append(f"  survived: {mutant.change}")
            lines.append(f"    {_flat(mutant.after)}")
        lines += ["", f"{'rules':<20}{'mutants':>9}{'killed':>9}{'excused':>9}{'survived':>10}{'share':>9}"]
        for score in self.scores():
            figures = f"{score.mutants:>9}{score.killed:>9}{score.excused:>9}{score.survived:>10}{score.share:>9.1%}"
            lines.append(f"{score.subject:<20}{figures}" + ("" if score.enough else f"  below {GOAL:.0%}"))
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        """Everything that the report tells."""
        return {
            "goal": GOAL,
            "files": [asdict(score) | {"survived": score.survived, "share": score.share} for score in self.scores()],
            "survived": [told(mutant) for mutant in self.survived],
            "excused": [told(mutant) | {"reason": excuse.reason} for mutant, excuse in self.excused],
        }


def told(mutant: Mutant) -> dict[str, str]:
    """One mutant as data."""
    return {
        "subject": mutant.subject,
        "rule": mutant.rule,
        "change": mutant.change,
        "before": _flat(mutant.before),
        "after": _flat(mutant.after),
    }


def _flat(text: str) -> str:
    return " ".join(text.split())
