"""A file that cannot be written is refused before the work, and told without a traceback after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.errors import CommandError, UsageError
from operations.verify import verify_command
from operations.written import writable, write


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
