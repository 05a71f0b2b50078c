"""What is told while something runs: on a terminal in a line that goes again, elsewhere only when it takes long."""

from __future__ import annotations

import os
import pty
import re
import time
from collections.abc import Callable
from io import StringIO

import pytest

from toolchain import progress
from toolchain.progress import Progress


def test_every_step_is_told_with_its_outcome() -> None:
    stream = StringIO()
    with Progress(stream).step("images", "building 2", "ready"):
        pass
    started, ended = stream.getvalue().splitlines()
    assert started == "images: building 2"
    assert re.fullmatch(r"images: ready \(\d+\.\d s\)", ended)


def test_a_passing_step_that_is_quick_leaves_nothing() -> None:
    stream = StringIO()
    with Progress(stream, passing=True).step("prod", "planned", "planned"):
        pass
    assert stream.getvalue() == ""


def test_a_passing_step_that_takes_long_is_told_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_INTERVAL_SECONDS", 0.02)
    stream = StringIO()
    with Progress(stream, passing=True).step("prod", "planned as main has it", "planned"):
        _until(lambda: re.search(r"^still: prod planned as main has it \d+ s\n", stream.getvalue(), re.MULTILINE))


def test_on_a_terminal_a_passing_step_is_shown_and_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LIVE_INTERVAL_SECONDS", 0.02)
    master, slave = pty.openpty()
    seen = b""
    with os.fdopen(slave, "w") as terminal:
        with Progress(terminal, passing=True).step("prod", "planned as main has it", "planned"):
            while b"... prod planned" not in seen:
                seen += os.read(master, 1024)
        terminal.flush()
        while not seen.endswith(b"\r\x1b[K"):
            seen += os.read(master, 1024)
    os.close(master)
    assert b"\n" not in seen


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
