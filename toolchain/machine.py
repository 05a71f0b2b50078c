"""Facts about this machine and this clone: where things are kept, how others name its system, who runs us."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".observatory"
VENV = ROOT / ".venv"


class ToolchainError(Exception):
    """Something is missing that cannot be made ready here; the text is one line and says what to do."""


def cache_folder() -> Path:
    """What clones share: programs, their locks, the engine's log."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "observatory"


def system() -> str:
    """This system as Go and most publishers name it: linux or darwin."""
    return platform.system().lower()


def architecture() -> str:
    """This processor as Go names it: amd64 or arm64."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def is_root() -> bool:
    """Whether packages of the system may be installed without asking anybody."""
    return os.geteuid() == 0


def is_debian() -> bool:
    """Whether this is Debian, Ubuntu or made from them."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    names = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', "").split()
    return "debian" in names or "ubuntu" in names


def version_numbers(text: str) -> tuple[int, ...]:
    """The first dotted number in a text, as numbers: "promtool, version 3.13.5" gives (3, 13, 5); none gives ()."""
    for word in text.replace(",", " ").replace("-", " ").replace("+", " ").split():
        parts = word.removeprefix("go").removeprefix("v").split(".")
        if len(parts) > 1 and all(part.isdigit() for part in parts):
            return tuple(int(part) for part in parts)
    return ()


def python_version() -> str:
    """The running interpreter's version, major and minor."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
