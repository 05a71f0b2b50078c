"""Which metrics there are: read from metrics/<subject>.yaml, so that what is exposed is what is declared."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

METRICS = Path(__file__).resolve().parents[2] / "metrics"


@dataclass(frozen=True)
class Declared:
    """One metric: its type and, for each label, the values that it has."""

    name: str
    type: str
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()

    def combinations(self) -> Iterator[tuple[str, ...]]:
        """The label values of every series."""
        yield from itertools.product(*self.labels.values())


def read_subject(subject: str, names: Mapping[str, Sequence[str]], folder: Path = METRICS) -> list[Declared]:
    """All metrics of a subject. Where a label has only a number of values, `names` gives them by label."""
    content = yaml.safe_load((folder / f"{subject}.yaml").read_text(encoding="utf-8"))
    return [
        Declared(
            name=name,
            type=entry["type"],
            help=entry.get("help", ""),
            labels={label: _values(label, wanted, names) for label, wanted in entry.get("labels", {}).items()},
            buckets=tuple(float(bound) for bound in entry.get("buckets", ())),
        )
        for name, entry in content["metrics"].items()
    ]


def _values(label: str, wanted: Any, names: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if isinstance(wanted, list):
        return [str(value) for value in wanted]
    known = list(names.get(label, ()))[:wanted]
    return known or [f"{label.replace('_', '-')}-{number}" for number in range(1, min(wanted, 3) + 1)]
