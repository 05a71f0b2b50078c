"""A folder is there in full or not at all: after a kill, and when two processes want it at once."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain import atomic
from toolchain.machine import ROOT

MAKE = """
import sys, time
from pathlib import Path
from toolchain import atomic
target, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def fill(folder):
    with log.open("a") as stream:
        stream.write("fill\\n")
    (folder / "half").write_text("half")
    print("filling", flush=True)
    time.sleep(seconds)
    (folder / "whole").write_text("whole")
print(atomic.make_folder(target, fill), flush=True)
"""


def make(target: Path, log: Path, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", MAKE, str(target), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_a_kill_in_the_middle_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    target = tmp_path / "p" / "1.0"
    with make(target, tmp_path / "log", 60) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "filling\n"
        process.send_signal(signal.SIGKILL)
    assert not target.exists()
    with make(target, tmp_path / "log", 0) as process:
        output, _ = process.communicate()
    assert output == "filling\nTrue\n"
    assert sorted(path.name for path in target.iterdir()) == ["half", "whole"]
    assert [path.name for path in target.parent.iterdir() if path.name.startswith(".part")] == []


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    target, log = tmp_path / "p" / "1.0", tmp_path / "log"
    with make(target, log, 0.3) as one, make(target, log, 0.3) as other:
        last = sorted(process.communicate()[0].splitlines()[-1] for process in (one, other))
    assert last == ["False", "True"]
    assert log.read_text() == "fill\n"


def test_a_failed_fill_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic.make_folder(tmp_path / "p" / "1.0", fill)
    assert [path.name for path in (tmp_path / "p").iterdir()] == [".1.0.lock"]


def test_write_sets_the_mode_before_the_file_has_its_name(tmp_path: Path) -> None:
    atomic.write(tmp_path / "secret", "x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """What a power cut leaves of files, by the name that each has when it is put onto the disk."""
    found: dict[Path, str] = {}

    def fsync(handle: int) -> None:
        place = Path(f"/proc/self/fd/{handle}").resolve()
        found[place] = ",".join(sorted(path.name for path in place.iterdir())) if place.is_dir() else place.read_text()

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_written_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, disk: dict[Path, str]) -> None:
    atomic.write(tmp_path / "secret", "x" * 10, mode=0o600)
    (temporary, text), folder = disk.items()
    assert (temporary.name[:6], text) == (".part-", "x" * 10)
    assert folder == (tmp_path, "secret")


def test_a_file_system_that_cannot_flush_a_folder_takes_files_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.write(tmp_path / "file", "x")
    assert (tmp_path / "file").read_text() == "x"


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "p" / "1.0"
    found = []

    def sync() -> None:
        found.append((target.exists(), sorted(file.name for file in target.parent.glob(".part-*/*"))))

    def fill(folder: Path) -> None:
        (folder / "one").write_text("one")
        (folder / "two").write_text("two")

    monkeypatch.setattr(os, "sync", sync)
    assert atomic.make_folder(target, fill)
    assert found == [(False, ["one", "two"])]
    assert not atomic.make_folder(target, fill)
    assert len(found) == 1
