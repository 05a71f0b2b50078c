"""Prometheus is killed while it merges blocks, and while it makes one of what is in memory: every sample stays.

Its own real compaction, looked for each second in place of each minute. The second half has blocks of ten seconds in
place of two hours, all as long, as with a bucket: so whatever is at work then is a block of what is in memory.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.engine import Engine, until
from tests.e2e.history import History, move_in, samples
from tests.e2e.lengths import Lengths
from tests.e2e.project import Project
from tests.e2e.stack import TIMINGS, Stack
from tests.e2e.trouble import BALLAST, Trouble

HOUR = 3600
PROGRAM, ARGUMENT = "components/services/prometheus.py", '"--enable-feature=exemplar-storage"'
OFTEN = f'{ARGUMENT}, "--storage.tsdb.block-reload-interval=1s"'
BRIEF = f'{OFTEN}, "--storage.tsdb.min-block-duration=10s", "--storage.tsdb.max-block-duration=10s"'
AT_WORK = ".tmp-for-creation"
"""End of the name of a block's folder until all of it is there."""
MOMENTS = (0, 0.05, 0.1, 0.15)
"""Seconds after the begin of its work at which it dies, in turn; a block takes half of one at least."""
WINDOW = 10
"""Seconds before each death of which every sample is compared."""
CORRUPT = "prometheus_tsdb_wal_corruptions_total > 0 or prometheus_tsdb_mmap_chunk_corruptions_total > 0"


@dataclass
class Compacting:
    """A stack whose Prometheus has blocks to make, and the folder with them."""

    stack: Stack
    folder: Path
    host: Trouble
    deaths: int = 0
    dead: set[int] = field(default_factory=set)
    begun: set[Path] = field(default_factory=set)

    def kill(self) -> None:
        """Kill it while it makes a block, as what it leaves of that shows. The engine starts it again at once."""
        moment = MOMENTS[self.deaths % len(MOMENTS)]
        for attempt in range(10):
            process = until(self.process, "the engine has started it again", 90, 0.05)
            until(self.at_work, "it makes a block", 90, 0.01)
            time.sleep(0 if attempt else moment)
            begun = self.at_work()
            os.kill(process, signal.SIGKILL)
            self.dead.add(process)
            self.begun.update(begun)
            if any(each.exists() for each in begun):  # or it was done in that moment
                self.deaths += 1
                return
        raise AssertionError("it was done with every block before it died")

    def process(self) -> int | None:
        """Its process, once it is not one that was killed."""
        found = int(self.stack.container("prometheus").attrs["State"]["Pid"])
        return found if found not in (0, *self.dead) else None

    def at_work(self) -> list[Path]:
        """The blocks that it is making; not what it has left when it was killed before."""
        return [each for each in self.folder.glob(f"*{AT_WORK}") if each not in self.begun]

    def levels(self) -> list[int]:
        """How often what is in each block has been merged."""
        found = []
        for each in self.folder.glob("*/meta.json"):
            with suppress(FileNotFoundError):  # merged into another since it was listed
                found.append(int(json.loads(each.read_text())["compaction"]["level"]))
        return found

    def answering(self) -> None:
        """Wait until the engine has started it again and it scrapes."""
        since = time.time()

        def back() -> bool:
            found = self.asked("max(timestamp(up))", time.time())
            return bool(found) and float(found[0]["value"][1]) > since

        until(back, "it scrapes again", 240)

    def asked(self, query: str, at: float) -> list[dict[str, Any]]:
        """What it answers; nothing while it starts or is too busy for that."""
        with suppress(httpx.TransportError, AssertionError):
            return self.stack.query(query, at)
        return []

    def done(self) -> bool:
        """Whether it has made blocks since its start, without an error, and nothing half is left of before."""
        figures = [f"prometheus_tsdb_compactions{kind}_total" for kind in ("", "_failed")]
        total, failed = (sum(float(each["value"][1]) for each in self.asked(figure, time.time())) for figure in figures)
        assert failed == 0
        assert not any(each.exists() for each in self.begun), "half a block is left"
        return total > 0


@pytest.fixture(scope="module")
def compacting(project: Project, engine: Engine, run_name: str) -> Iterator[Compacting]:
    """A stack of little more than Prometheus, running."""
    environment = f"{run_name}-compacting"
    with ExitStack() as at_end:
        at_end.callback(engine.remove, environment)
        stack = Stack(
            project,
            engine,
            environment,
            tracing={"backend": "none"},
            grafana={"enabled": False},
            exporters={"cadvisor": False, "blackbox": False, "node": False},
            probes=[],
            resources={"prometheus": {"cpus": 0.3}},  # so slow that it can be killed at work
        )
        stack.configure()
        with project.changed(PROGRAM, ARGUMENT, OFTEN):
            stack.up()
        folder = Path(engine.client.volumes.get(f"observatory-{environment}-prometheus-data").attrs["Mountpoint"])
        if not os.access(folder, os.W_OK):
            pytest.skip("looking into a volume needs root on the engine's machine")
        trouble = Trouble(engine.gateway(environment))
        at_end.callback(trouble.close)
        yield Compacting(stack, folder, trouble)


def test_killed_while_it_merges_blocks(compacting: Compacting, lengths: Lengths, tmp_path: Path) -> None:
    """Nothing half is left, nothing is there twice, and in the end it has merged what it was killed at."""
    stack, program = compacting.stack, compacting.stack.container("prometheus")
    end = int(time.time()) // (6 * HOUR) * 6 * HOUR
    history = History("e2e_merged", end - 24 * HOUR, end, step=3600, series=20000)
    blocks = history.blocks(tmp_path / "history")
    program.stop(timeout=30)
    assert move_in(program, blocks) == 12
    program.start()
    for _ in range(lengths.compactions):
        compacting.kill()
    compacting.answering()
    until(compacting.done, "blocks are merged", 240)
    assert max(compacting.levels()) > 1
    assert samples(stack, "prometheus", history.name, history.start, history.end) == history.expected(), (
        "samples are lost"
    )
    assert stack.query(CORRUPT) == []
    TIMINGS.append(
        f"         Prometheus killed {compacting.deaths} times while it merged blocks; "
        f"samples lost: 0 of {history.count}"
    )


def test_killed_while_it_writes_what_is_in_memory(compacting: Compacting, lengths: Lengths) -> None:
    """Samples of right before each death are the same after it, and after all the others."""
    stack = compacting.stack
    with stack.project.changed(PROGRAM, ARGUMENT, BRIEF):
        stack.configure(services=[compacting.host.service("ballast")])
        stack.up()
    compacting.deaths = 0

    def stored(end: float) -> dict[str, Any]:
        return {each["metric"]["user"]: each["values"] for each in compacting.asked(f"ballast[{WINDOW}s]", end)}

    def fresh() -> tuple[float, dict[str, Any]] | None:
        # Up to the newest sample that is stored: what is under way will be stored under the time of its begin.
        newest = compacting.asked('timestamp(ballast{user="0"})', time.time())
        if not newest:
            return None
        end = float(newest[0]["value"][1])
        found = stored(end)
        return (end, found) if found else None

    before: dict[float, dict[str, Any]] = {}
    for _ in range(lengths.compactions):
        end, before[end] = until(fresh, "it is scraped", 240)
        compacting.kill()
        compacting.answering()
        assert until(partial(stored, end), "it answers", 240) == before[end]
    until(compacting.done, "a block is written", 240)
    assert {end: until(partial(stored, end), "it answers", 240) for end in before} == before, "samples are lost"
    count = sum(len(values) for found in before.values() for values in found.values())
    assert count >= len(before) * BALLAST
    assert stack.query(CORRUPT) == []
    TIMINGS.append(
        f"         Prometheus killed {compacting.deaths} times while it wrote what was in memory; "
        f"samples lost: 0 of {count}"
    )
