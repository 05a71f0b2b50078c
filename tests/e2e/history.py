"""History for tests of storage: blocks by Prometheus' own tool, moved in, and every sample of them known."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from docker.models.containers import Container

from tests.e2e.stack import Stack

Samples = dict[str, list[tuple[float, float]]]
"""Series to (time, value), each sample once and in order."""


@dataclass(frozen=True)
class History:
    """Series `<name>{series="0"}` and so on: one sample each `step` seconds, from `start` up to `end` (not in it)."""

    name: str
    start: int
    end: int
    step: int = 60
    series: int = 3

    @property
    def count(self) -> int:
        """Samples of all series."""
        return (self.end - self.start) // self.step * self.series

    def expected(self) -> Samples:
        """What a query over all of it has to answer."""
        times = range(self.start, self.end, self.step)
        return {str(n): [(float(t), float((t // self.step) * 7 % 1009 + n)) for t in times] for n in range(self.series)}

    def text(self) -> str:
        """All of it in OpenMetrics' format."""
        lines = [f"# TYPE {self.name} gauge"]
        for n, samples in self.expected().items():
            lines += [f'{self.name}{{series="{n}"}} {value:.0f} {time:.0f}' for time, value in samples]
        return "\n".join([*lines, "# EOF", ""])

    def blocks(self, folder: Path) -> Path:
        """The folder with its blocks, two hours each; those that it has where they are asked for again."""
        if not folder.exists():
            with TemporaryDirectory(dir=folder.parent) as making:
                source, made = Path(making, "metrics.txt"), Path(making, "blocks")
                source.write_text(self.text())
                command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source), str(made)]
                subprocess.run(command, check=True, capture_output=True)
                made.rename(folder)
        return folder


def move_in(container: Container, blocks: Path) -> int:
    """Put blocks into a stopped Prometheus' data; how many."""
    archive = io.BytesIO()

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 65534
        return member

    found = [block for block in blocks.iterdir() if (block / "meta.json").exists()]
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for block in found:
            tar.add(block, block.name, filter=owned)
    assert container.put_archive("/prometheus", archive.getvalue())
    return len(found)


def samples(stack: Stack, product: str, name: str, start: float, end: float) -> Samples:
    """All raw samples of a metric by its label `series`, asked for in pieces of a day."""
    found: Samples = {}
    at = start
    while at < end:
        upto = min(at + 86400, end)
        # A range selector is open to its left and closed to its right.
        answer = stack.get(product, "/api/v1/query", query=f"{name}[{upto - at:.0f}s]", time=f"{upto - 0.001:.3f}")
        assert not answer.get("warnings"), answer["warnings"]
        for series in answer["data"]["result"]:
            into = found.setdefault(series["metric"]["series"], [])
            into += [(float(time), float(value)) for time, value in series["values"]]
        at = upto
    return found
