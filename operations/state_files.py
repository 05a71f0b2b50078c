"""Mends a Pulumi state in a folder that a power cut or kill -9 has left half written.

Two things can be cut there. Beside each file Pulumi's storage library keeps `<file>.attrs` with its type and checksum,
and writes that in place (gocloud.dev, blob/fileblob/attrs.go): while one is cut, no command of Pulumi can open the
state. Nothing needs it, and a file without one is read as well. The state itself is renamed into its place, but not
flushed to the disk, which some file systems turn into an empty file; the one before it is `<state>.bak`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from operations.errors import CommandError

_PROJECT = "observatory"  # as in Pulumi.yaml; the keys of every stack file begin with it
_KEPT = ("stacks", "locks", "history", "backups")
"""Pulumi's folders below `.pulumi`; in a home directory there are others beside them, which are no state."""


def state_folder(backend: str, project: Path) -> Path | None:
    """Where a `file://` backend keeps its files; None for another backend. Relative ones begin at the project."""
    scheme, separator, rest = backend.partition("://")
    if scheme != "file" or not separator:
        return None
    return project / Path(rest.partition("?")[0]).expanduser() / ".pulumi"


def _readable(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (ValueError, FileNotFoundError):
        return False
    return True


def _sides(folder: Path) -> Iterator[Path]:
    yield from folder.glob("meta.yaml.attrs")
    for kind in _KEPT:
        yield from folder.glob(f"{kind}/**/*.attrs")


def mend(folder: Path, stack: str) -> list[str]:
    """Make Pulumi able to read a stack's state again; returns what was done, a sentence each.

    Raises CommandError where the state is cut and there is none before it.
    """
    done = []
    cut = [side for side in _sides(folder) if not _readable(side)]
    for side in cut:
        side.unlink(missing_ok=True)
    if cut:
        done.append(f"removed {len(cut)} of Pulumi's side files in {folder}, which were cut and which nothing needs")
    state = folder / "stacks" / _PROJECT / f"{stack}.json"
    if state.exists() and not _readable(state):
        before = state.with_name(f"{state.name}.bak")
        if not _readable(before):
            copies = folder / "backups" / _PROJECT / stack
            hint = f"choose the newest good one of {copies}, then: pulumi stack import --file FILE --stack {stack}"
            raise CommandError(f"{state} is cut, and {before.name} too", hint)
        shutil.copyfile(before, state)
        done.append(f"took {before}, the state one step before, as {state.name} was cut")
    return done
