"""The stack file on disk: where a new one goes, what of an old one has to stay, and writing it in one step."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from components.config.load import FOLDER, KEY, stack_path
from components.yaml_text import dump, load
from operations.errors import CommandError, UsageError


def place(stack: str, folder: Path = FOLDER) -> tuple[Path, str]:
    """The path of a new stack file and its environment, from a name or from the path itself."""
    path = stack_path(stack, folder)
    found = re.fullmatch(r"Pulumi\.(.+)\.yaml", path.name)
    if not found or not path.parent.is_dir():
        reason = "must be a name, or the path Pulumi.<environment>.yaml in a folder that is there"
        raise UsageError(f"{stack}: {reason}", "`./observatory new staging`")
    return path, found[1]


def shown(path: Path) -> Path:
    """The path as people would write it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def kept(path: Path, force: bool) -> dict[str, Any]:
    """What Pulumi has put into a file that is replaced: encrypted secrets, and what decrypts them.

    Raises CommandError where there is a file and it is not to be replaced.
    """
    if not path.exists():
        return {}
    if not force:
        raise CommandError(f"{shown(path)} is there already", "choose another name, edit it, or replace it by --force")
    try:
        document = load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(
            f"{shown(path)} cannot be read, so its secrets would be lost: {error}", "move it out of the way"
        ) from None
    return document if isinstance(document, dict) else {}


def with_kept(text: str, old: dict[str, Any]) -> str:
    """The new text with what of the old file is not the stack itself."""
    others = {key: value for key, value in (old.get("config") or {}).items() if key != KEY}
    if others:
        text += "".join(f"  {line}\n" for line in dump(others).splitlines())
    rest = {key: value for key, value in old.items() if key != "config"}
    return text + (dump(rest) if rest else "")


def write(path: Path, text: str, force: bool) -> None:
    """All of the file or nothing of it; one that came in between is not replaced without `force`."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        if force:
            part.replace(path)
        else:
            os.link(part, path)
    except FileExistsError:
        raise CommandError(f"{shown(path)} is there already", "somebody else has just made it") from None
    except OSError as error:
        raise CommandError(f"{shown(path)} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
