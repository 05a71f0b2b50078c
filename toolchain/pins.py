"""The versions this project asks for, read from the files that pin them; nothing is pinned here a second time."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.machine import ROOT, ToolchainError

PROGRAMS_FILE = ROOT / "toolchain" / "programs.toml"
MODULES = ROOT / "toolchain" / "go"
VERSIONS_FILE = ROOT / "components" / "versions.yaml"
_IMAGE_LINE = re.compile(r"(?P<key>[a-z0-9-]+):\s*\{(?P<fields>[^{}]*)\}\s*(?:#.*)?")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;#]+)")


@dataclass(frozen=True)
class Image:
    """One image of `components/versions.yaml`; `digest` is "" where none is pinned."""

    key: str
    repository: str
    tag: str
    digest: str = ""
    platform: str = ""
    """Where alone it runs; "" for everywhere."""

    @property
    def tagged(self) -> str:
        """Repository and tag: what a local image is found by."""
        return f"{self.repository}:{self.tag}"

    @property
    def pinned(self) -> str:
        """The full reference, with the digest where one is pinned."""
        return f"{self.tagged}@{self.digest}" if self.digest else self.tagged

    @property
    def local(self) -> bool:
        """Whether it is made on the machine that deploys, and nowhere else."""
        return self.repository.startswith("localhost/")


@dataclass(frozen=True)
class Program:
    """One program of `programs.toml`: file name to Go package, and how its own release is built."""

    name: str
    version: str
    binaries: dict[str, str]
    tags: tuple[str, ...]
    ldflags: str
    minutes: float
    recipe: str

    @property
    def folder_name(self) -> str:
        """Where a build is kept; another recipe is another folder, so a changed one is built anew."""
        return f"{self.version}-{self.recipe}"


def images(file: Path = VERSIONS_FILE) -> dict[str, Image]:
    """All pinned images. The file is one line an image, so no YAML library is needed before there is a `.venv`."""
    found: dict[str, Image] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _IMAGE_LINE.fullmatch(line.rstrip())
        fields = dict(re.findall(r"(\w+):\s*[\"']?([^,\s\"']+)", match["fields"])) if match else {}
        if match is None or not {"image", "tag"} <= fields.keys():
            raise ToolchainError(f"{file.name} line {number} is not `name: {{image: ..., tag: ...}}`: {line.strip()}")
        key = match["key"]
        found[key] = Image(key, fields["image"], fields["tag"], fields.get("digest", ""), fields.get("platform", ""))
    return found


def tables(file: Path = PROGRAMS_FILE) -> dict[str, Any]:
    """`programs.toml` as it is: the tables `programs` and `images`."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ToolchainError(f"{file.name} cannot be read: {error}") from error


def programs(content: dict[str, Any], modules: Path = MODULES) -> dict[str, Program]:
    """All programs that can be built, with the recipe of each."""
    return {
        name: Program(
            name=name,
            version=str(table["version"]),
            binaries=dict(table["binaries"]),
            tags=tuple(table.get("tags", ())),
            ldflags=str(table.get("ldflags", "")),
            minutes=float(table.get("minutes", 1)),
            recipe=recipe(modules / name, table),
        )
        for name, table in content.get("programs", {}).items()
    }


def recipe(folder: Path, table: dict[str, Any]) -> str:
    """Ten hex digits that change with any file of a program's Go module and with its table."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\n" + file.read_bytes())
    digest.update(json.dumps(table, sort_keys=True).encode())
    return digest.hexdigest()[:10]


def requirement(name: str, file: Path = ROOT / "requirements.txt") -> str:
    """The version that a requirements file pins a package to."""
    for line in file.read_text(encoding="utf-8").splitlines():
        match = _REQUIREMENT.match(line)
        if match and match["name"].lower().replace("_", "-") == name:
            return match["version"]
    raise ToolchainError(f"{file.name} does not pin {name}; add a line `{name}==VERSION`")
