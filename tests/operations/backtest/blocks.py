"""Data of a Prometheus, made by its own tool, with every sample known."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from operations import programs

BEGIN = 1_760_000_400
"""Seconds since 1970, at a whole hour."""
Samples = Mapping[str, Sequence[tuple[float, float]]]
"""Series, as `name{label="value"}`, to (seconds since 1970, value)."""


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    program = programs.find("promtool")
    assert program, "promtool is not on this machine: `make ready`"
    return subprocess.run(
        [str(program), *arguments], cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )


def written(samples: Samples, folder: Path) -> Path:
    """A folder with blocks of these samples."""
    folder.mkdir(parents=True, exist_ok=True)
    by_metric: dict[str, list[str]] = {}
    for series, points in samples.items():
        name = series.partition("{")[0]
        by_metric.setdefault(name, []).extend(f"{series} {value:g} {at:.3f}" for at, value in points)
    lines = [line for name, found in by_metric.items() for line in (f"# TYPE {name} gauge", *found)]
    (folder / "samples.txt").write_text("\n".join([*lines, "# EOF", ""]))
    made = promtool("tsdb", "create-blocks-from", "openmetrics", "-q", "samples.txt", "data", folder=folder)
    assert made.returncode == 0, made.stderr
    return folder / "data"


def steady(value: float, start: float, end: float, step: float = 15) -> list[tuple[float, float]]:
    """The same value from a time up to another, in seconds after BEGIN."""
    count = round((end - start) / step)
    return [(BEGIN + start + place * step, value) for place in range(count)]
