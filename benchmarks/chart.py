"""Manifests as text, beside `helm template` of kube-prometheus-stack: where Helm and the chart are to be had."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from benchmarks.results import Result, compared, interleaved
from benchmarks.workspace import ROOT, run

STACK = "k8s-dev"
_OBJECT = re.compile(r"^kind: ", re.MULTILINE)


def manifests(chart: Path, repeat: int) -> list[Result]:
    """`render --manifests` against `helm template` with the chart's own values, each as a whole process."""
    with tempfile.TemporaryDirectory(prefix="observatory-bench-") as folder:
        turn = iter(range(repeat + 1))
        helm = Path(folder) / "helm"

        def ours() -> float:
            out = str(Path(folder) / str(next(turn)))
            return run([str(ROOT / "observatory"), "render", STACK, "--manifests", "--out", out], ROOT)

        def other() -> float:
            return run(["helm", "template", "bench", str(chart), "--output-dir", str(helm)], ROOT)

        ours()  # compiles what is imported
        measured = interleaved(repeat, ours, other)
        rendered, templated = objects(Path(folder) / "0"), objects(helm)
    note = f"{rendered} objects of {STACK} against {templated} of the chart with its own values"
    return [compared("manifests as text", measured, "helm template", note=note)]


def objects(folder: Path) -> int:
    """How many Kubernetes objects the YAML files of a folder hold."""
    return sum(len(_OBJECT.findall(file.read_text(encoding="utf-8"))) for file in folder.rglob("*.yaml"))
