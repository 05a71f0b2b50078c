"""A file that cannot be written is refused before the work, and told without a traceback after it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.errors import CommandError, UsageError
from operations.guides.page import keep_current
from operations.guides.schema import schema_command
from operations.verify import verify_command
from operations.written import replace, writable, write
from toolchain.machine import ROOT


def test_what_can_be_written_is(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    writable(file, "--junit")
    assert not file.exists(), "nothing is made before there is something to write"
    write(file, "é")
    writable(file, "--junit")
    assert file.read_text(encoding="utf-8") == "é"


def test_without_a_file_there_is_nothing_to_do() -> None:
    writable(None, "--html")
    write(None, "text")


@pytest.mark.parametrize(("name", "reason"), [("", "is a folder"), ("gone/report.xml", "there is no folder .*gone")])
def test_what_cannot_be_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"--html .*{reason}"):
        writable(tmp_path / name, "--html")
    with pytest.raises(CommandError, match="cannot be written"):
        write(tmp_path / name, "text")


def test_a_command_refuses_before_it_looks_at_the_stack(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--junit"):
        verify_command("no-such-stack", False, 1, tmp_path / "gone" / "report.xml", None, None)


def schemas(file: Path) -> None:
    schema_command(False, file, file.with_name("policy.json"))


@pytest.mark.parametrize(
    "work",
    [lambda file: write(file, "new"), lambda file: keep_current(file, "new", check=False), schemas],
    ids=["report", "page", "schema"],
)
def test_who_reads_it_meanwhile_finds_the_old_one_whole(tmp_path: Path, work: Callable[[Path], None]) -> None:
    """As a kill at any moment does: one that holds the old file goes on reading it to its end."""
    file = tmp_path / "file"
    file.write_text("old")
    with file.open(encoding="utf-8") as reader:
        work(file)
        assert reader.read() == "old"
    assert file.read_text() != "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("before", "after"), [(None, 0o640), (0o600, 0o600), (0o755, 0o755)])
def test_the_mode_is_the_one_that_the_file_has_or_the_user_asks_for(
    tmp_path: Path, before: int | None, after: int
) -> None:
    file = tmp_path / "report.html"
    if before is not None:
        file.touch()
        file.chmod(before)
    mask = os.umask(0o027)
    try:
        replace(file, "text")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text()) == (after, "text")


@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    link, target = tmp_path / "latest.xml", tmp_path / "runs" / "1.xml"
    target.parent.mkdir()
    link.symlink_to("runs/1.xml")
    if there:
        target.write_text("old")
    replace(link, "new")
    assert (link.is_symlink(), target.is_symlink(), target.read_text()) == (True, False, "new")


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    replace(pipe, "text")
    reader.join()
    assert (found, stat.S_ISFIFO(pipe.stat().st_mode)) == (["text"], True)


def test_a_report_can_go_to_standard_output(tmp_path: Path) -> None:
    """Also where that is a file: one beside it would take its name, and what is printed then would be nowhere."""
    code = "import operations.written as w; from pathlib import Path; w.write(Path('/dev/stdout'), 'report\\n')"
    command = [sys.executable, "-c", f"{code}; print('more')"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "report\nmore\n"
    with (tmp_path / "log").open("a") as log:
        subprocess.run(command, cwd=ROOT, stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "report\nmore\n"


@pytest.mark.parametrize("reason", [PermissionError(13, "Permission denied"), OSError(16, "Device or resource busy")])
def test_a_file_beside_which_there_can_be_no_other_is_written_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: OSError
) -> None:
    """In a folder that is not the user's, or mounted into a container by its own name."""
    file = tmp_path / "report.xml"

    def rename(*_: object) -> None:
        raise reason

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(type(reason)):
        replace(file, "new")
    assert not file.exists()
    file.write_text("old")
    replace(file, "new")
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["report.xml"]


def test_a_full_disk_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.xml"
    file.write_text("old")

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CommandError, match=r"report\.xml cannot be written: No space left"):
        write(file, "new")
    assert (file.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)


def test_a_file_that_the_user_may_not_write_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to the system to refuse it; a rename would ask for the folder alone."""
    file = tmp_path / "report.xml"
    file.write_text("old")
    before = file.stat().st_ino
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    replace(file, "new")
    assert file.stat().st_ino == before
