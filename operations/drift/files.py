"""The files that a service sees in its configuration volume, beside those that are planned for it.

The value of a secret is not known here and not asked for: what stands around it has to be as planned.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.platforms.docker_engine import CURRENT
from components.spec import SECRET_TOKEN, File, Service

SECRET_MODE = 0o400


@dataclass(frozen=True, slots=True)
class Seen:
    """A file in a volume."""

    content: str
    mode: int


def unpacked(chunks: Iterable[bytes]) -> dict[str, Seen] | None:
    """Path to file of the slot that is in use, from the archive of a configuration folder; None without a slot."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        members = archive.getmembers()
        # The folder itself is the first part of every name.
        link = next((each for each in members if each.issym() and each.name.split("/")[1:] == [CURRENT]), None)
        if link is None:
            return None
        prefix = f"{link.name.split('/')[0]}/{link.linkname}/"
        found = {}
        for member in members:
            content = archive.extractfile(member) if member.isreg() and member.name.startswith(prefix) else None
            if content:
                found[member.name.removeprefix(prefix)] = Seen(content.read().decode(errors="replace"), member.mode)
        return found


def file_differences(service: Service, seen: Mapping[str, Seen]) -> Iterator[str]:
    """One line for each file that is missing, is another, is too open, or is not planned."""
    planned = {file.path: file for file in service.files}
    for path, file in planned.items():
        if path not in seen:
            yield f"{path}: is missing"
        elif not _fits(file, seen[path].content):
            yield f"{path}: {_first_difference(file.content, seen[path].content)}"
        elif file.secrets and seen[path].mode & 0o777 & ~SECRET_MODE:
            yield f"{path}: holds a secret and has mode {seen[path].mode & 0o777:o}, planned is {SECRET_MODE:o}"
    yield from (f"{path}: is not planned" for path in sorted(seen.keys() - planned.keys()))


def _fits(file: File, content: str) -> bool:
    if not file.secrets:
        return file.content == content
    return bool(re.fullmatch(_pattern(file.content), content, re.DOTALL))


def _pattern(planned: str) -> str:
    parts, last = [], 0
    for token in SECRET_TOKEN.finditer(planned):
        parts.append(re.escape(planned[last : token.start()]))
        last = token.end()
    return ".*".join([*parts, re.escape(planned[last:])])


def _first_difference(planned: str, seen: str) -> str:
    """The first line that differs. Where the plan has a secret in it, what is there instead is not shown."""
    mine, other = planned.splitlines(), seen.splitlines()
    for number, line in enumerate(mine, 1):
        found = other[number - 1] if number <= len(other) else None
        if found is None:
            return f"ends before line {number}"
        if not re.fullmatch(_pattern(line), found, re.DOTALL):
            if SECRET_TOKEN.search(planned):
                return f"line {number} is not as planned"
            return f"line {number} is {_short(found)}, planned is {_short(line)}"
    return f"goes on after line {len(mine)}" if len(other) > len(mine) else "another end of the last line"


def _short(line: str) -> str:
    text = repr(line.strip())
    return text if len(text) <= 80 else f"{text[:77]}..."
