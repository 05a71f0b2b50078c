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
