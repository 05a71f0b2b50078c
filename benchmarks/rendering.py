"""What rendering takes: the command as a whole process, and plans that grow."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import Goal, Result, compared, growth, interleaved
from benchmarks.workspace import ROOT, run

SIZES = (10, 100, 1000)


def render_command(repeat: int) -> list[Result]:
    """`./observatory render dev` into a new folder each time, against an interpreter that does nothing."""
    with tempfile.TemporaryDirectory(prefix="observatory-bench-") as folder:
        turn = iter(range(repeat + 1))

        def ours() -> float:
            out = Path(folder) / str(next(turn))
            return run([str(ROOT / "observatory"), "render", "dev", "--out", str(out)], ROOT)

        def floor() -> float:
            return run([sys.executable, "-c", "pass"], ROOT)

        ours()  # compiles what is imported
        return [compared("render dev, whole process", interleaved(repeat, ours, floor), "python -c pass", Goal(0.5))]


def growing_plans(repeat: int) -> list[Result]:
    """Plans of ever more services, each measured in a process of its own."""
    results, medians = [], []
    for size in SIZES:
        reports = [_measured(size) for _ in range(repeat)]
        seconds = [report["seconds"] for report in reports]
        mebibytes = [report["mebibytes"] for report in reports]
        last = size == SIZES[-1]
        medians.append(statistics.median(seconds))
        what = f"plan of {size:,} services"
        note = "two objectives each; from the stack object to the text of every file" if last else ""
        goals = (Goal(1.0), Goal(250)) if last else (None, None)
        results.append(Result(what, medians[-1], "s", goal=goals[0], note=note, samples={"ours": seconds}))
        results.append(
            Result(
                f"  peak memory at {size:,}",
                statistics.median(mebibytes),
                "MiB",
                goal=goals[1],
                samples={"ours": mebibytes},
            )
        )
    grown = growth(SIZES, medians)
    results.append(
        Result(
            "  cost of one more service", grown, "x", goal=Goal(1.5), note="from 100 on against up to 100; linear is 1"
        )
    )
    return results


def _measured(size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.many_services", str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report: dict[str, float] = json.loads(done.stdout)
    return report
