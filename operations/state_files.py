"""Mends a Pulumi state in a folder that a power cut or kill -9 has left half written.

Two things can be cut there. Beside each file Pulumi's storage library keeps `<file>.attrs` with its type and checksum,
and writes that in place (gocloud.dev, blob/fileblob/attrs.go): while one is cut, no command of Pulumi can open the
state. Nothing needs it, and a file without one is read as well. The state itself is renamed into its place, but not
flushed to the disk, which some file systems turn into an empty file after a power cut. `<state>.bak` is the one a step
before it, and Pulumi keeps a copy of each update's last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from operations.errors import CommandError
from toolchain import atomic

_PROJECT = "observatory"  # as in Pulumi.yaml; the keys of every stack file begin with it
_KEPT = ("stacks", "locks", "history", "backups")
"""Pulumi's folders below `.pulumi`; in a home directory there are others beside them, which are no state."""


def state_folder(backend: str, project: Path) -> Path | None:
    """Where a `file://` backend keeps its files; None for another backend. Relative ones begin at the project."""
    if not backend.startswith("file://"):
        return None
    path = unquote(backend.removeprefix("file://").partition("?")[0])
    if path.startswith("~"):
        path = f"{Path.home()}/{path[1:]}"
    return project / path / ".pulumi"


def _content(file: Path) -> str | None:
    """What a file holds; None where it is cut or not there."""
    try:
        content = file.read_text(encoding="utf-8")
        json.loads(content)
    except (ValueError, FileNotFoundError):
        return None
    return content


def _put_back(state: Path, copies: Path) -> str:
    # Their names tell the time, with as many digits each.
    for older in (state.with_name(f"{state.name}.bak"), *sorted(copies.glob(f"{state.stem}.*.json"), reverse=True)):
        if (content := _content(older)) is not None:
            atomic.write(state, content, state.stat().st_mode & 0o777)
            return f"{state} was cut: took {older}, the newest before it; what was made since, it does not know"
    raise CommandError(f"{state} is cut, and so is all that Pulumi keeps of it", "put it back from a copy of yours")


def _sides(folder: Path) -> Iterator[Path]:
    yield from folder.glob("meta.yaml.attrs")
    for kind in _KEPT:
        yield from folder.glob(f"{kind}/**/*.attrs")


def mend(folder: Path, stack: str) -> list[str]:
    """Make Pulumi able to read a stack's state again; returns what was done, a sentence each.

    Raises CommandError where the state is cut and nothing of it is left, and where its files refuse to be changed.
    """
    done = []
    try:
        state = folder / "stacks" / _PROJECT / f"{stack}.json"
        if state.exists() and _content(state) is None:
            done.append(_put_back(state, folder / "backups" / _PROJECT / stack))
        cut = [side for side in _sides(folder) if _content(side) is None]
        for side in cut:
            side.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}", "Pulumi's state has to be yours to change") from None
    if cut:
        done.append(f"removed {len(cut)} of Pulumi's side files in {folder}, which were cut and which nothing needs")
    return done
