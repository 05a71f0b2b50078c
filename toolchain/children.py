"""Child processes that end when we do: each in a process group of its own, its output in a log file."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolchain.machine import ToolchainError, cache_folder

_LAST_LINES = 5
_GRACE_SECONDS = 2.0

_lock = threading.Lock()
_running: set[subprocess.Popen[bytes]] = set()
_stopping = False


class Interrupted(Exception):
    """The user asked to stop; nothing new is started."""


def check_interrupted() -> None:
    """Raises Interrupted once `kill_all` was called."""
    if _stopping:
        raise Interrupted


def run(
    command: Sequence[str],
    log: str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    remedy: str = "",
) -> None:
    """Runs a command to its end; its output goes to `logs/<log>.log` in the cache folder.

    Raises ToolchainError with the last lines of the output when it fails, and Interrupted when we are stopping.
    """
    file = cache_folder() / "logs" / f"{log}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as output:
        process = _start(command, output.fileno(), folder, environment)
        code = process.wait()
    with _lock:
        _running.discard(process)
    check_interrupted()
    if code != 0:
        lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
        last = " | ".join([line for line in lines if line][-_LAST_LINES:])
        text = f"`{' '.join(command[:3])} ...` failed ({code}): {last or 'no output'} (see {file})"
        raise ToolchainError(f"{text}; {remedy}" if remedy else text)


def _start(
    command: Sequence[str], output: int, folder: Path | None, environment: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    with _lock:
        check_interrupted()
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment) if environment is not None else None,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolchainError(f"`{command[0]}` cannot be started: {error.strerror}") from error
        _running.add(process)
    return process


def kill_all() -> None:
    """Ends all children with all that they started; from now on `run` refuses to start anything."""
    global _stopping  # noqa: PLW0603 - there is one process, and one answer for all its threads
    with _lock:
        _stopping = True
        processes = list(_running)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                continue
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
