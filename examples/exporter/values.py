"""values.yaml: how each metric moves when all is well, and how under a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from examples.exporter.motion import Motion
from examples.faults import Faults

VALUES = Path(__file__).with_name("values.yaml")


class Values:
    """The first entry of a metric whose conditions hold counts: labels have the value, and the fault is on."""

    def __init__(self, file: Path = VALUES) -> None:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        self.faults = Faults(content["faults"])
        self.labels: Mapping[str, Sequence[str]] = content["labels"]
        self._entries = {
            name: [self._entry(each) for each in (found if isinstance(found, list) else [found])]
            for name, found in content["values"].items()
        }

    def motion(self, name: str, labels: Mapping[str, str]) -> Motion:
        """How a series moves now; small numbers where nothing is said of its metric."""
        for fault, wanted, motion in self._entries.get(name, ()):
            if (not fault or fault in self.faults) and wanted.items() <= labels.items():
                return motion
        return Motion()

    def _entry(self, entry: Mapping[str, Any]) -> tuple[str, dict[str, str], Motion]:
        wanted = dict(entry.get("if", {}))
        fault = wanted.pop("fault", "")
        if fault:
            _ = fault in self.faults  # raises for one that is not in the list above
        return fault, wanted, Motion.of({key: value for key, value in entry.items() if key != "if"})
