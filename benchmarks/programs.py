"""What the program itself takes on each platform: its run against a mock engine, its memory, its imports."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from benchmarks.results import Result, compared, interleaved
from benchmarks.workspace import ROOT, run
from components.config.load import KEY
from components.yaml_text import load

STACKS = {"docker": "dev", "kubernetes": "k8s-dev"}
"""Platform to a stack file for it that asks for no secrets."""


def platforms(repeat: int) -> list[Result]:
    """For each platform, against an empty program in the same way."""
    return [result for platform, stack in STACKS.items() for result in _platform(platform, stack, repeat)]


def _platform(platform: str, stack: str, repeat: int) -> list[Result]:
    memory: dict[str, list[float]] = {stack: [], "": []}
    resources: dict[str, int] = {}

    def mocked(name: str) -> float:
        seconds, report = mocked_run(name)
        memory[name].append(report["mebibytes"])
        resources[name] = int(report["resources"])
        return seconds

    def importing(modules: str) -> float:
        return run([sys.executable, "-c", f"import {modules}"], ROOT)

    mocked(stack)  # compiles what is imported
    memory[stack].clear()
    measured = interleaved(repeat, lambda: mocked(stack), lambda: mocked(""))
    modules = f"pulumi, components.plan, components.stack, components.platforms.{platform}"
    imports = interleaved(repeat, lambda: importing(modules), lambda: importing("pulumi"))
    ours, empty = (statistics.median(memory[name]) for name in (stack, ""))
    note = f"{resources[stack]} resources; whole process, mock engine: without Pulumi's command and provider plugins"
    return [
        compared(f"program on {platform}", measured, "empty program", note=note),
        Result("  peak memory", ours, "MiB", empty, "empty program", samples={"ours": memory[stack]}),
        compared("  imports", imports, "import pulumi"),
    ]


def mocked_run(stack: str) -> tuple[float, dict[str, float]]:
    """Seconds of a whole process, and its own report; "" is the empty program."""
    text = json.dumps(load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"][KEY]) if stack else ""
    command = [sys.executable, "-m", "benchmarks.mocked", *([stack] if stack else [])]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=True, timeout=120)
    seconds = time.perf_counter() - begin
    report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds, report
