"""Archives that are unpacked into volumes through a container that is never started.

The engine unpacks entries in order; a file in place of a folder removes the folder with all that is in it, and the
other way round. It passes over an entry for the very folder that it unpacks into.
"""

from __future__ import annotations

import io
import tarfile
import time

from docker.errors import NotFound
from docker.models.containers import Container

from components.platforms.errors import DeploymentError

Entry = tuple[tarfile.TarInfo, bytes]


def _entry(path: str, kind: bytes, mode: int, uid: int = 0, gid: int = 0, data: bytes = b"", target: str = "") -> Entry:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid, info.size, info.linkname = kind, mode, uid, gid, len(data), target
    info.mtime = time.time()
    return info, data


def folder_entry(path: str, uid: int, gid: int, mode: int) -> Entry:
    """A folder; one that is there gets this owner and mode."""
    return _entry(path, tarfile.DIRTYPE, mode, uid, gid)


def link_entry(path: str, target: str) -> Entry:
    """A symbolic link; it replaces whatever stands there."""
    return _entry(path, tarfile.SYMTYPE, 0o777, target=target)


def tombstone(slot: str) -> Entry:
    """An empty file where a slot was: unpacking it removes the folder with all that is in it."""
    return _entry(slot, tarfile.REGTYPE, 0o600)


def slot_entries(slot: str, files: dict[str, str], secret_paths: set[str], uid: int, gid: int) -> list[Entry]:
    """A slot from nothing: its folders and files, secrets readable for their owner alone."""
    entries = [tombstone(slot), folder_entry(slot, uid, gid, 0o755)]
    folders: set[str] = set()
    for path in sorted(files):
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in folders:
                folders.add(folder)
                entries.append(folder_entry(f"{slot}/{folder}", uid, gid, 0o755))
        mode = 0o400 if path in secret_paths else 0o444
        entries.append(_entry(f"{slot}/{path}", tarfile.REGTYPE, mode, uid, gid, files[path].encode()))
    return entries


def put(container: Container, folder: str, entries: list[Entry]) -> None:
    """Unpack entries into a folder of the container, volumes included."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    if not container.put_archive(folder, buffer.getvalue()):
        raise DeploymentError(f"{container.name}: files cannot be written to {folder}")


def is_there(container: Container, path: str) -> bool:
    """Whether the container sees a small file, volumes included."""
    try:
        container.get_archive(path)
    except NotFound:
        return False
    return True


def link_target(container: Container, path: str) -> str:
    """The last part of what a link points to, or "" where there is none."""
    try:
        _, stat = container.get_archive(path)
    except NotFound:
        return ""
    return str((stat or {}).get("linkTarget", "")).rsplit("/", 1)[-1]
