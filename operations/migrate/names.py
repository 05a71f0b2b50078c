"""Names of the other system as this one takes them: services, labels, metrics, alerts, files, identifiers."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection


def plain(text: str) -> str:
    """Without accents and other signs that no name takes."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def slug(text: str, fallback: str = "unnamed", most: int = 60) -> str:
    """Lower-case words with single hyphens, beginning with a letter: names of services, channels and files."""
    words = re.sub(r"[^a-z0-9]+", "-", plain(text).lower()).strip("-")
    words = words if words[:1].isalpha() else f"{fallback}-{words}".strip("-")
    return words[:most].strip("-")


def unique(name: str, taken: Collection[str]) -> str:
    """The name, with a number after it where it is taken."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


def label(text: str) -> str:
    """A label name: `availability-zone` becomes `availability_zone`."""
    found = re.sub(r"[^a-zA-Z0-9_]", "_", plain(text).strip())
    return found if found[:1].isalpha() or found[:1] == "_" else f"_{found}"


def metric(text: str) -> str:
    """A metric's name: `shop.queue-length` becomes `shop_queue_length`."""
    found = re.sub(r"[^a-zA-Z0-9_:]", "_", plain(text).strip())
    return found if found[:1].isalpha() or found[:1] in ("_", ":") else f"_{found}"


def alert(text: str, fallback: str = "Alert") -> str:
    """An alert's name in the house's form: `High CPU on web` becomes `HighCPUOnWeb`."""
    words = re.findall(r"[A-Za-z0-9]+", re.sub(r"\{\{.*?\}\}", " ", plain(text)))
    found = "".join(word[:1].upper() + word[1:] for word in words)[:80]
    return found if found[:1].isalpha() else fallback + found


def secret(*words: str) -> str:
    """The name of a Pulumi secret: `slackUrl` of `slack url`."""
    parts = re.findall("[A-Za-z0-9]+", plain(" ".join(words)))
    found = "".join([*map(str.lower, parts[:1]), *(part[:1].upper() + part[1:] for part in parts[1:])])
    return found if found[:1].isalpha() else f"migrated{found}"


def uid(text: str, seed: str) -> str:
    """A dashboard's identifier that stays the same from run to run: of what it is called, and where it was."""
    return f"{slug(text, 'board', 28)}-{hashlib.sha256(seed.encode()).hexdigest()[:8]}"
