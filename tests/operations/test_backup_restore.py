"""`restore` on Docker: the real script and restic on folders, beside containers that are played."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import NotFound

from operations.backups.containers import Backups
from operations.backups.copies import Answer
from operations.backups.restore import Target, _put_in_place, _refuse_to_lose_data, fill
from operations.backups.snapshots import Snapshot
from operations.errors import CommandError
from tests.services.backup_script import ready, run, script
from tests.support import planned, stack

VOLUME = "alertmanager-data"
OLD, NEW = {"nflog": "old", "silences": "old"}, {"silences": "new"}
DISK = 1000
"""KiB for all volumes."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="restoring for others, as on Docker, needs root")


@dataclass
class Program:
    """A container, and what it found in its volume at each start."""

    data: Path
    found: list[dict[str, str]]
    name: str = ""
    status: str = "running"

    def stop(self, timeout: int) -> None:
        """As it is told to."""
        assert timeout > 0
        self.status = "exited"

    def start(self) -> None:
        """It reads all that it may."""
        self.status = "running"
        self.found.append(files(self.data) if self.data.stat().st_mode & 0o100 else {})


class Engine:
    """With the program, and its volume alone."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.client = SimpleNamespace(volumes=self)

    def get(self, name: str) -> None:
        """A volume."""
        if not name.endswith(VOLUME):
            raise NotFound(name)

    def container(self, name: str) -> Program:
        """Any is the same."""
        self.program.name = name
        return self.program

    def await_started(self, name: str, _probe: list[str], _patience: float) -> None:
        """At once."""
        if self.container(name).status != "running":
            self.program.start()


@dataclass(frozen=True)
class OnFolders(Backups):
    """Runs the script itself, in place of a container; `before` is done before each run."""

    known: dict[str, str]
    before: Callable[[str], None]

    def run(
        self,
        *arguments: str,
        show: Callable[[str], None] = lambda _line: None,
        volumes: Sequence[str] = (),
        environment: str = "",
    ) -> Answer:
        """The script of this machine."""
        assert environment == self.config.environment
        assert {*volumes} == {VOLUME}
        self.before(arguments[0])
        return Answer(*run(self.known, *arguments))


def files(folder: Path) -> dict[str, str]:
    """Name to text, of a program's own."""
    return {each.name: each.read_text() for each in folder.iterdir() if each.is_file()}


def write(folder: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository, in which there is a copy of what is new. It takes seconds to make one."""
    folder = tmp_path_factory.mktemp("copied")
    found = ready(folder, VOLUME, folder / "state")
    write(folder / "data" / VOLUME, NEW)
    script(found, "restic", "init")
    script(found, "restic", "backup", "--host", "observatory-test", str(folder / "data" / VOLUME))
    return folder


@pytest.fixture
def known(tmp_path: Path, copied: Path) -> dict[str, str]:
    """The script's environment, on a disk that is small, with a volume that holds what is old."""
    shutil.copytree(copied / "repository", tmp_path / "repository")
    found = ready(tmp_path, VOLUME, tmp_path / "state")
    (tmp_path / "bin").mkdir()
    df = tmp_path / "bin" / "df"
    df.write_text(f'#!/bin/sh\nset -- $(du -sk "{tmp_path}/data")\necho; echo /dev/x {DISK} $1 $(({DISK} - $1))\n')
    df.chmod(0o755)
    found["PATH"] = f"{df.parent}:{found['PATH']}"
    write(Path(found["DATA"]) / VOLUME, OLD)
    return found


@pytest.fixture
def data(known: dict[str, str]) -> Path:
    return Path(known["DATA"]) / VOLUME


@pytest.fixture
def snapshot(copied: Path) -> Snapshot:
    """The copy that there is."""
    folder = str(copied / "data" / VOLUME)
    return Snapshot("latest", datetime.now(UTC), "manual", 300 * 1024, 0, {VOLUME: folder}, "")


@pytest.fixture
def program(data: Path) -> Program:
    return Program(data, [])


@pytest.fixture
def backups(known: dict[str, str], program: Program) -> OnFolders:
    config = stack(backup={"to": {"folder": "/srv/backup"}, "password": {"secret": "backupPassword"}})
    plan = planned(config)
    service = plan.service("backup")
    assert service
    engine = cast("Any", Engine(program))
    return OnFolders(config, plan, service, cast("Any", None), engine, known, lambda _command: None)


def target(backups: Backups) -> Target:
    return Target("dev", backups.config, backups.plan)


def put_in_place(backups: Backups, snapshot: Snapshot) -> None:
    to = target(backups)
    _put_in_place(backups, to, snapshot, to.owners([VOLUME]))


def left_over(data: Path, name: str, size: int) -> Path:
    """Something of a restore that was killed, of so many KiB."""
    found = data / f".restored-{name}"
    found.mkdir()
    (found / "silences").write_bytes(os.urandom(size * 1024))
    return found


@pytest.mark.parametrize("name", ["unfinished", "fetched-one", "accepted"])
def test_what_a_killed_restore_left_takes_no_room_from_the_next(
    backups: OnFolders, snapshot: Snapshot, data: Path, name: str
) -> None:
    found = left_over(data, name, 800)
    with pytest.raises(CommandError, match="dev has data, and it would be lost") as error:
        _refuse_to_lose_data(backups, target(backups), snapshot, [VOLUME], False)
    assert f"{VOLUME}: 2 files" in str(error.value), "its own are not data"
    assert found.exists(), "nothing is touched before it is allowed"
    _refuse_to_lose_data(backups, target(backups), snapshot, [VOLUME], True)
    assert not found.exists()
    assert files(data) == OLD
    large = replace(snapshot, size=DISK * 1024)
    with pytest.raises(CommandError, match="make room"):
        _refuse_to_lose_data(backups, target(backups), large, [VOLUME], True)


@needs_root
def test_a_restore_that_was_cut_off_is_finished_before_the_room_is_looked_at(
    backups: OnFolders, snapshot: Snapshot, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old data that was going to be removed is in the way of the next copy."""
    taken = left_over(data, "taken", 300)
    (data / "rest").write_bytes(os.urandom(500 * 1024))
    data.chmod(0o655)
    _refuse_to_lose_data(backups, target(backups), snapshot, [VOLUME], True)
    assert not taken.exists()
    assert [each.name for each in data.iterdir()] == ["silences"]
    assert data.stat().st_mode & 0o100
    assert f"a restore of {VOLUME} was cut off, and is finished" in capsys.readouterr().err


@needs_root
def test_a_restored_volume_holds_the_copy_and_its_program_runs(
    backups: OnFolders, snapshot: Snapshot, data: Path, program: Program
) -> None:
    put_in_place(backups, snapshot)
    assert files(data) == NEW
    assert program.found == [NEW]
    assert not list(data.glob(".restored*"))


def test_where_a_copy_cannot_be_fetched_the_program_runs_with_what_it_had(
    backups: OnFolders, snapshot: Snapshot, data: Path, program: Program
) -> None:
    left_over(data, "fetched-other", 1)
    with pytest.raises(CommandError, match=f"{VOLUME} was not restored, and holds what it held"):
        put_in_place(backups, replace(snapshot, id="0123abcd"))
    assert program.found[-1] == OLD
    assert not list(data.glob(".restored*"))


class Killed:
    """Kills what the script does at the removal of old data, the first time."""

    def __init__(self, known: dict[str, str]) -> None:
        folder = Path(known["HERE"]).parent / "bin"
        self.known, self.program = known, folder / "rm"
        # `put` removes the rest of older restores, and then the old data.
        self.program.write_text(
            f"#!/bin/sh\ncase $* in *silences*)\n"
            f'  mv "$0" "$0.done"; kill -s KILL $(cat {folder}/script) $PPID; exit 1 ;;\nesac\n'
            f'exec {shutil.which("rm")} "$@"\n'
        )
        self.program.chmod(0o755)
        shell = folder / "sh"
        shell.write_text(f'#!/bin/sh\necho $$ >{folder}/script\nexec {shutil.which("sh")} "$@"\n')
        shell.chmod(0o755)

    @property
    def happened(self) -> bool:
        """Whether it has come to that."""
        return not self.program.exists()


@needs_root
def test_a_restore_that_is_killed_while_old_data_goes_is_finished(
    backups: OnFolders, snapshot: Snapshot, data: Path, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = Killed(backups.known)
    put_in_place(backups, snapshot)
    assert killed.happened
    assert files(data) == NEW
    assert program.found == [NEW]
    assert f"a restore of {VOLUME} was cut off, and is finished" in capsys.readouterr().err


@needs_root
def test_ctrl_c_while_old_data_goes_lets_no_program_find_half_of_it(
    backups: OnFolders, snapshot: Snapshot, data: Path, program: Program
) -> None:
    """The engine kills what takes too long to end."""
    killed = Killed(backups.known)
    closed: list[bool] = []

    def interrupt(command: str) -> None:
        if command == "settle" and not closed:
            closed.append(not data.stat().st_mode & 0o100)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_in_place(replace(backups, before=interrupt), snapshot)
    assert killed.happened
    assert closed == [True]
    assert program.found[0] == NEW


@needs_root
def test_a_program_is_kept_out_where_nobody_can_finish(
    backups: OnFolders, snapshot: Snapshot, data: Path, program: Program
) -> None:
    Killed(backups.known)

    def refuse(command: str) -> None:
        if command == "settle":
            raise CommandError("the engine refuses to run the backup")

    with pytest.raises(CommandError, match="the engine refuses"):
        put_in_place(replace(backups, before=refuse), snapshot)
    assert program.found[0] == {}, "it may not enter"
    assert "./observatory restore --replace finishes it" in (data / ".restored-half").read_text()
    fill(backups, snapshot, VOLUME, backups.config.environment)
    assert files(data) == NEW
    assert data.stat().st_mode & 0o100
