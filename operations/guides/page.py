"""A page that is made from the project itself: written when it fell behind, or only looked at."""

from __future__ import annotations

from pathlib import Path

from operations import console
from operations.written import replace


def keep_current(file: Path, text: str, check: bool) -> int:
    """Write `text` to `file`; with `check` only say whether it is current. The exit code of the command."""
    current = file.is_file() and file.read_bytes() == text.encode()
    if check:
        if not current:
            console.note(f"{file.name} is not what it is made from; run ./observatory schema")
        return 0 if current else 1
    if not current:
        replace(file, text)
    console.say(f"{file} {'is current' if current else 'written'}")
    return 0
