"""Files that a command writes beside what it prints: refused before the work where they could not be written then.

And never found half written: what a kill cuts is read all the same, by a CI or by the next run.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from operations.errors import CommandError, UsageError
from toolchain import atomic

_NO_OTHER_BESIDE = {errno.EACCES, errno.EPERM, errno.EBUSY}
"""A folder that is not the user's, one where each may replace their own alone, a file mounted by its own name."""


def writable(path: Path | None, option: str) -> None:
    """Raises UsageError where the file that an option names cannot be made, as far as that is known before."""
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder", "give the name of a file")
    if not folder.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {folder}", "make it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{option} {path} cannot be written by this user", "give another file")


def write(path: Path | None, text: str) -> None:
    """Write it where a file is asked for. Raises CommandError where it cannot be written all the same."""
    if path is None:
        return
    try:
        replace(path, text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None


def replace(path: Path, text: str) -> None:
    """Write a file in one step, where there can be another beside it. Links and modes stay. Raises OSError."""
    there = path.exists()
    is_stream = path.absolute().is_relative_to("/dev") or (there and not path.is_file())
    if is_stream or not path.parent.is_dir() or (there and not os.access(path, os.W_OK)):
        path.write_text(text, encoding="utf-8")
        return
    try:
        atomic.write(path.resolve(), text, stat.S_IMODE(path.stat().st_mode) if there else 0o666 & ~_umask())
    except OSError as error:
        if not there or error.errno not in _NO_OTHER_BESIDE:
            raise
        path.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
