"""Files that a command writes beside what it prints: refused before the work where they could not be written then."""

from __future__ import annotations

import os
from pathlib import Path

from operations.errors import CommandError, UsageError


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
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
