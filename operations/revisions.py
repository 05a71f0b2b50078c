"""Revisions of this repository: which there are, and their files in a folder of their own."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from operations.errors import CommandError

PATIENCE = 120
"""Seconds for git to answer."""


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        raise CommandError("git is not on this machine, and it is what knows revisions") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"git {arguments[0]} did not end within {PATIENCE} s") from None
    if done.returncode:
        raise CommandError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip() or 'failed'}")
    return done.stdout


def commit_of(revision: str, root: Path) -> str:
    """The commit of a branch, a tag or the like. Raises CommandError where git knows none."""
    try:
        found = _git(root, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except CommandError as error:
        if "rev-parse" not in error.message:
            raise
        hint = "a branch, tag or commit of this clone; a shallow clone has few: `git fetch --unshallow`"
        raise CommandError(f"--base {revision}: git knows no such revision", hint) from None
    return found.decode().strip()


def renames(commit: str, root: Path) -> dict[str, str]:
    """Path of each file of the working tree to its path in a commit, where git sees that it is another one."""
    found = _git(root, "diff", "--find-renames", "--diff-filter=R", "--name-status", "-z", commit, "--").decode()
    words = found.split("\0")[:-1]
    return dict(zip(words[2::3], words[1::3], strict=True))


@contextmanager
def checked_out(commit: str, root: Path) -> Iterator[Path]:
    """The files of a commit, without touching the working tree."""
    with tempfile.TemporaryDirectory(prefix="observatory-base-") as name:
        folder = Path(name)
        with tarfile.open(fileobj=BytesIO(_git(root, "archive", "--format=tar", commit))) as archive:
            archive.extractall(folder, filter=_within)  # noqa: S202 - nothing leaves the folder
        remembered = root / ".observatory" / "remembered"
        if remembered.is_dir() and not (folder / ".observatory" / "remembered").exists():
            # Results are kept under the digest of what they were made from, so any revision may use them.
            (folder / ".observatory").mkdir(exist_ok=True)
            (folder / ".observatory" / "remembered").symlink_to(remembered)
        yield folder


def _within(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """What stays in the folder; a link that leads out of it is left out."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None
