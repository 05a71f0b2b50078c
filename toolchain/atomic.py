"""Files and folders that are either there in full or not at all, also after a kill and beside other processes.

After a power cut too: file systems may put a name onto the disk long before what is in the file, which is empty then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from toolchain.children import check_interrupted

_POLL_SECONDS = 0.2
_TEMPORARY_PREFIX = ".part-"


@contextlib.contextmanager
def lock(file: Path) -> Iterator[None]:
    """Holds a lock between processes; the kernel gives it back when its holder dies, however it dies."""
    import time

    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                check_interrupted()
                time.sleep(_POLL_SECONDS)
        yield


def make_folder(target: Path, fill: Callable[[Path], None]) -> bool:
    """Makes `target` by filling a folder beside it and renaming that; False when another process was first.

    Leftovers of a killed run are removed: only the holder of the lock may have such a folder.
    """
    with lock(target.parent / f".{target.name}.lock"):
        if target.exists():
            return False
        for left in target.parent.glob(f"{_TEMPORARY_PREFIX}{target.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY_PREFIX}{target.name}-", dir=target.parent))
        try:
            fill(temporary)
            temporary.chmod(0o755)
            os.sync()  # each file for itself would take minutes
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return True


def write(file: Path, text: str, mode: int = 0o644) -> None:
    """Writes a file by renaming; nobody ever reads a half, and a secret is never readable for others meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            temporary.chmod(mode)
            os.fsync(handle)
        temporary.rename(file)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_names(file.parent)


def _flush_names(folder: Path) -> None:
    """Put the names in a folder onto the disk, as far as its file system can: a secret must outlive what it locks."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
