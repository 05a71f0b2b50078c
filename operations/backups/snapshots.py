"""What a repository holds: one snapshot for each copy, and which volume stands where in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from operations.backups.containers import Backups
from operations.errors import CommandError


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
        volumes = {path.split("/")[2]: path for path in paths if path.startswith("/data/")}
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


def snapshots(backups: Backups) -> list[Snapshot]:
    """All whole copies of the stack, oldest first. Raises CommandError with a reason."""
    host = backups.prefix
    answer = backups.repository("snapshots", "--json", "--no-lock", "--host", host, "--tag", "observatory")
    return sorted((Snapshot.of(each) for each in json.loads(answer.output or "[]")), key=lambda each: each.time)


def chosen(found: Sequence[Snapshot], wanted: str | None, place: str) -> Snapshot:
    """The newest, or that whose id begins so."""
    if not found:
        raise CommandError(f"{place} holds no copy of this stack")
    if wanted is None:
        return found[-1]
    fitting = [each for each in found if each.id.startswith(wanted)]
    if len(fitting) != 1 or len(wanted) < 4:
        listed = ", ".join(each.short for each in found[-10:])
        raise CommandError(f"no one copy has the id {wanted}", f"the newest: {listed}")
    return fitting[0]


def told(backups: Backups, snapshot: Snapshot, what: str) -> float:
    """A time (Unix seconds) that the copy tells of itself.

    `begin`: older silences are in it. `moment`: samples that were stored before are in it.
    """
    answer = backups.repository("dump", "--no-lock", snapshot.id, f"{snapshot.about}/{what}")
    return float(answer.output)


def read_check(backups: Backups, snapshot: Snapshot) -> None:
    """Read every byte of the copy and compare it with its checksum; CommandError for the first that is wrong."""
    for arguments in (("restic", "check", "--quiet"), ("test", snapshot.id)):
        answer = backups.run(*arguments)
        if answer.code != 0:
            raise backups.error(answer, f"the copy {snapshot.short} in {backups.place} is damaged; nothing was touched")
