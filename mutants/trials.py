"""Runs the unit tests of changed rules with promtool, several files to a process."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from xml.etree import ElementTree as ET

from components.config.base import seconds
from components.yaml_text import dump
from mutants.catalogue import Mutant, Rule, SubjectRules, name_of
from tests.rules.promtool import promtool
from tests.rules.rendered import UNIT_TESTS, rendered_rules

Tests = dict[str, Any]
"""A file of unit tests."""
_BATCH = 12
"""Files to a process: its start costs as much as the tests of one rule."""
_SECONDS = 1200


class TrialFailed(Exception):
    """Something other than a test's answer: the tests fail without any change, or promtool does not run."""


@dataclass
class Trials:
    """Runs trials in `jobs` processes at a time; nothing of it is left behind when the context ends."""

    jobs: int
    _folder: TemporaryDirectory[str] = field(init=False)
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def __enter__(self) -> Self:
        """Take a folder in memory where there is one: promtool writes a database for each group of tests."""
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._folder = TemporaryDirectory(prefix="mutants-", dir=memory)
        (self._home / "rules").mkdir()
        rendered_rules(self._home / "rules")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Also after Ctrl-C: end what still runs, then remove the folder."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()
        self._folder.cleanup()

    @property
    def _home(self) -> Path:
        return Path(self._folder.name)

    def subject(self, name: str) -> SubjectRules:
        """The rules of a subject with the tests that belong to them."""
        return SubjectRules(name, UNIT_TESTS / f"{name}.yaml")

    def killed(self, subjects: Mapping[str, SubjectRules], mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        """Each mutant and whether a test failed for it, as the answers come in.

        The rule as it is runs along in each batch. Raises TrialFailed when its tests fail: nothing could be said then.
        """
        with ThreadPoolExecutor(self.jobs) as pool:
            waiting: set[Future[list[tuple[Mutant, bool]]]] = set()
            batches = _batches(mutants)
            try:
                while True:
                    for batch in islice(batches, max(0, 2 * self.jobs - len(waiting))):
                        waiting.add(pool.submit(self._batch, subjects[batch[0].subject], batch))
                    if not waiting:
                        return
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield from future.result()
            finally:
                with self._lock:
                    self._stopped = True
                    for process in self._running:
                        process.kill()
                pool.shutdown(cancel_futures=True)
                self._stopped = False

    def _batch(self, rules: SubjectRules, batch: Sequence[Mutant]) -> list[tuple[Mutant, bool]]:
        place = batch[0].place
        alive = list(batch)
        for tests in _rounds(rules.trial(place)[1]):
            changes: list[Rule | None] = [None, *(mutant.changed for mutant in alive)]
            with TemporaryDirectory(dir=self._home) as folder:
                trials = [self._write(Path(folder), f"{n}.yaml", rules, place, c, tests) for n, c in enumerate(changes)]
                failed = self._run(Path(folder), trials)
            if failed[0]:
                name = name_of(rules.rules[place])
                raise TrialFailed(f"{rules.subject}: the tests of {name} fail without any change; make them pass first")
            alive = [mutant for mutant, dead in zip(alive, failed[1:], strict=True) if not dead]
            if not alive:
                break
        return [(mutant, mutant not in alive) for mutant in batch]

    def _write(
        self, folder: Path, name: str, rules: SubjectRules, place: tuple[int, int], change: Rule | None, tests: Tests
    ) -> Path:
        """The test file of one trial, with its rules beside it."""
        changed, path = folder / f"rules-{name}", folder / f"test-{name}"
        others = [str(self._home / "rules" / file) for file in tests["rule_files"] if file != f"{rules.subject}.yaml"]
        changed.write_text(dump(rules.trial(place, change)[0]), encoding="utf-8")
        path.write_text(dump(tests | {"rule_files": [changed.name, *others]}), encoding="utf-8")
        return path

    def _run(self, folder: Path, files: Sequence[Path]) -> list[bool]:
        """Whether the tests of each file failed."""
        told = folder / "results.xml"
        command = [promtool(), "test", "rules", f"--junit={told}", *map(str, files)]
        with self._lock:
            if self._stopped:
                raise TrialFailed("interrupted")
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder), "GOMAXPROCS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self._running.add(process)
        try:
            output = process.communicate(timeout=_SECONDS)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            process.kill()
            raise TrialFailed(f"promtool needs more than {_SECONDS} s for {files[0].name}") from None
        finally:
            with self._lock:
                self._running.discard(process)
        if not told.is_file() or "could not parse" in output:
            raise TrialFailed(f"promtool cannot run the tests:\n{output[:2000]}")
        suites = ET.parse(told).getroot().iter("testsuite")  # noqa: S314  written by promtool just now
        return [any(len(case) for case in suite.iter("testcase")) for suite in suites]


def _rounds(tests: Tests) -> Iterator[Tests]:
    """The same tests in parts, the quick ones first: most mutants die there, and need none of the slow ones."""
    groups = sorted(tests["tests"], key=_effort)
    size = 2
    while groups:
        yield tests | {"tests": groups[:size]}
        groups, size = groups[size:], 2 * size


def _effort(group: dict[str, Any]) -> float:
    """About how much a group of tests computes: evaluations times series."""
    checks = [*group.get("alert_rule_test", ()), *group.get("promql_expr_test", ())]
    return max(seconds(str(check["eval_time"])) for check in checks) * (1 + len(group.get("input_series") or ()))


def _batches(mutants: Sequence[Mutant]) -> Iterator[list[Mutant]]:
    """Of one rule each, so that the rule as it is has to run only once in each."""
    for _, group in groupby(mutants, key=lambda mutant: (mutant.subject, mutant.place)):
        while batch := list(islice(group, _BATCH)):
            yield batch
