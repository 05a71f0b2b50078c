"""What the kubelet does with the files of a pod, for tests without one."""

from __future__ import annotations

import shutil
from pathlib import Path

from components.platforms.kubernetes_files import INDEX, key_of


def hand_over(folder: Path, version: int, files: dict[str, str], index: str | None = None) -> None:
    """A new version of a projected volume: a new folder, one link swapped, the old folder removed."""
    link = folder / "..data"
    before = link.readlink() if link.is_symlink() else None
    new = folder / f"..2026_01_01_00_00_{version:02}.123"
    new.mkdir()
    for path, content in files.items():
        (new / key_of(path)).write_text(content)
    lines = "".join(f"{key_of(path)} {path}\n" for path in files)
    (new / INDEX).write_text(lines if index is None else index)
    swapped = folder / "..data_tmp"
    swapped.symlink_to(new.name)
    swapped.rename(link)
    if before:
        shutil.rmtree(folder / before)
