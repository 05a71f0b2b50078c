"""What a repository holds: one snapshot for each copy, and which volume stands where in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from components.services.backup import STATE_FOLDER
from operations import console
from operations.backups.copies import LOCKED, NO_REPOSITORY, WRONG_PASSWORD, Copies
from operations.errors import CommandError

C = TypeVar("C", bound=Copies)
OWN = f"/{STATE_FOLDER}/"
"""In the paths of what stands on a volume and is not its program's."""


def size_text(size: float) -> str:
    """Bytes for people, in powers of 1024."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One copy. `size` in bytes, of what it restores to; `volumes` is volume to its folder in the snapshot."""

    id: str
    time: datetime
    kind: str
    size: int
    added: int
    volumes: dict[str, str]
    about: str

    @classmethod
    def of(cls, data: dict[str, Any]) -> Snapshot:
        """From restic's own listing."""
        paths = [str(path) for path in data["paths"]]
        volumes = {path.split("/")[2]: path for path in paths if path.startswith("/data/") and OWN not in path}
        about = next((path for path in paths if path.endswith("/about")), "")
        summary = data.get("summary") or {}
        tags = [tag for tag in data.get("tags") or () if tag != "observatory"]
        return cls(
            id=str(data["id"]),
            time=datetime.fromisoformat(data["time"][:19] + "+00:00"),
            kind=tags[0] if tags else "",
            size=int(summary.get("total_bytes_processed", 0)),
            added=int(summary.get("data_added_packed", 0)),
            volumes=volumes,
            about=about,
        )

    @property
    def short(self) -> str:
        """The first digits, which restic takes for the whole."""
        return self.id[:8]

    @property
    def staged(self) -> str:
        """The folder with what is not a volume: Grafana's database, and what the copy tells about itself."""
        return self.about.removesuffix("/about")


def snapshots(backups: Copies) -> list[Snapshot]:
    """All whole copies of the stack, oldest first. Raises CommandError with a reason."""
    host = backups.prefix
    answer = backups.repository("snapshots", "--json", "--no-lock", "--host", host, "--tag", "observatory")
    try:
        return sorted((Snapshot.of(each) for each in json.loads(answer.output or "[]")), key=lambda each: each.time)
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{backups.place}: its list of copies cannot be read: {answer.output[:200]!r}") from None


def all_snapshots(everyone: Sequence[C]) -> tuple[list[tuple[C, list[Snapshot]]], list[CommandError]]:
    """Those of each repository, and why others cannot be read."""
    held, failed = [], []
    for copies in everyone:
        try:
            held.append((copies, snapshots(copies)))
        except CommandError as error:
            failed.append(error)
    return held, failed


def chosen(found: Sequence[Snapshot], wanted: str | None, place: str) -> Snapshot:
    """The newest, or that whose id begins so."""
    if not found:
        raise CommandError(f"{place} holds no copy of this stack")
    if wanted is None:
        largest = max(found[-10:], key=lambda each: each.size)
        if found[-1].size < largest.size / 2:
            console.note(
                f"copy {found[-1].short}, the newest, has {size_text(found[-1].size)}; {largest.short} of "
                f"{largest.time:%Y-%m-%d %H:%M:%S} UTC has {size_text(largest.size)}: --snapshot restores that one"
            )
        return found[-1]
    fitting = [each for each in found if each.id.startswith(wanted)]
    if len(fitting) != 1 or len(wanted) < 4:
        listed = ", ".join(each.short for each in found[-10:])
        raise CommandError(f"no one copy has the id {wanted}", f"the newest: {listed}")
    return fitting[0]


def told(backups: Copies, snapshot: Snapshot, what: str) -> float:
    """A time (Unix seconds) that the copy tells of itself.

    `begin`: older silences are in it. `moment`: samples that were stored before are in it.
    """
    answer = backups.repository("dump", "--no-lock", snapshot.id, f"{snapshot.about}/{what}")
    try:
        return float(answer.output)
    except ValueError:
        raise CommandError(f"the copy {snapshot.short} does not say when it was taken") from None


def read_check(backups: Copies, snapshot: Snapshot) -> None:
    """Read every byte of the copy and compare it with its checksum; CommandError for the first that is wrong."""
    answer = backups.run("check", snapshot.id)
    if answer.code != 0:
        what = (
            "cannot be read"
            if answer.code in (LOCKED, WRONG_PASSWORD, NO_REPOSITORY)
            else "is damaged, or not to be read"
        )
        raise backups.error(answer, f"the copy {snapshot.short} in {backups.place} {what}; nothing was touched")
