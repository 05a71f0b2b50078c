"""The images of the demo, which no registry has: from their Dockerfiles where the base image can be had, else from
this machine's own Python and Node."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toolchain import pins, runtimes
from toolchain.docker_api import Engine, EngineError
from toolchain.images import Images
from toolchain.machine import ROOT, ToolchainError, architecture, system
from toolchain.progress import Progress
from toolchain.runtimes import Files

_LABEL = "observatory.recipe"
_PASSWD = b"root:x:0:0:root:/root:/sbin/nologin\nuser:x:65532:65532::/:/sbin/nologin\n"


@dataclass(frozen=True)
class Recipe:
    """One image: its Dockerfile, the files of this project that go into it, and what runs them."""

    dockerfile: str
    sources: tuple[str, ...]
    places: Callable[[str], str]
    runtime: Callable[[Progress], Files]
    entrypoint: str
    command: str


RECIPES = {
    "localhost/observatory/demo-python": Recipe(
        dockerfile="examples/Dockerfile",
        sources=("examples/requirements.txt", "examples/**/*.py", "examples/**/*.yaml", "metrics/*.yaml"),
        places=lambda path: f"/app/{path}",
        runtime=runtimes.python_files,
        entrypoint='["/usr/local/bin/python", "-m"]',
        command='["examples.shop"]',
    ),
    "localhost/observatory/demo-node": Recipe(
        dockerfile="examples/gateway/Dockerfile",
        sources=("examples/gateway/package*.json", "examples/gateway/*.js"),
        places=lambda path: f"/app/{Path(path).name}",
        runtime=runtimes.node_files,
        entrypoint='["/usr/local/bin/node"]',
        command='["server.js"]',
    ),
}


class DemoImages:
    """Makes them on one engine; those that are there and of today's files stay."""

    def __init__(self, engine: Engine, images: Images, progress: Progress) -> None:
        self._engine, self._images, self._progress = engine, images, progress

    def ensure(self, wanted: dict[str, pins.Image]) -> dict[str, str | None]:
        """Make what is missing; None for each product whose image cannot be made here, and a note why."""
        failed: dict[str, str | None] = {}
        for repository in dict.fromkeys(image.repository for image in wanted.values()):
            users = [image for image in wanted.values() if image.repository == repository]
            try:
                self._one(users[0], RECIPES[repository])
            except (ToolchainError, EngineError) as error:
                self._progress.note(f"the demo's image {users[0].tagged} cannot be made here: {error}")
                failed |= dict.fromkeys((image.key for image in users), None)
        return failed

    def _one(self, image: pins.Image, recipe: Recipe) -> None:
        mark = _mark(recipe)
        local = self._engine.image(image.tagged)
        if local and ((local.get("Config") or {}).get("Labels") or {}).get(_LABEL) == mark:
            return
        base = base_image(recipe)
        with tempfile.TemporaryFile() as archive:
            if self._images.obtain(base):
                with self._progress.step(f"image {image.repository}", f"building on {base.tagged}", "built"):
                    _write_context(archive, recipe)
                    self._engine.build(archive, recipe.dockerfile, image.tagged, {_LABEL: mark})
                return
            if (system(), architecture()) != ("linux", self._engine.architecture()):
                raise ToolchainError(f"{base.tagged} cannot be pulled, and this machine's programs do not run there")
            files = recipe.runtime(self._progress)
            with self._progress.step(
                f"image {image.repository}", "assembling from this machine's programs", "assembled"
            ):
                write_root(archive, files | {recipe.places(name): file for name, file in _sources(recipe)}, _PASSWD)
                archive.seek(0)
                self._engine.load(archive, image.repository, image.tag, _settings(recipe, mark))


def base_image(recipe: Recipe) -> pins.Image:
    """What the Dockerfile builds on: its line FROM is the only place that names it."""
    for line in (ROOT / recipe.dockerfile).read_text(encoding="utf-8").splitlines():
        if line.startswith("FROM "):
            repository, _, tag = line.removeprefix("FROM ").strip().rpartition(":")
            return pins.Image(repository.rpartition("/")[2], repository, tag)
    raise ToolchainError(f"{recipe.dockerfile} has no line FROM")


def _sources(recipe: Recipe) -> Iterator[tuple[str, Path]]:
    found = {file for pattern in recipe.sources for file in ROOT.glob(pattern) if "node_modules" not in file.parts}
    for file in sorted(found):
        yield file.relative_to(ROOT).as_posix(), file


def _mark(recipe: Recipe) -> str:
    """Changes with every file that goes in, and with how the image is made."""
    digest = hashlib.sha256()
    for name in (recipe.dockerfile, "toolchain/demo_images.py", "toolchain/runtimes.py"):
        digest.update((ROOT / name).read_bytes())
    for name, file in _sources(recipe):
        digest.update(f"{name}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _settings(recipe: Recipe, mark: str) -> list[str]:
    return [
        "USER 65532:65532",
        "WORKDIR /app",
        f"ENTRYPOINT {recipe.entrypoint}",
        f"CMD {recipe.command}",
        "ENV PATH=/usr/local/bin",
        f"ENV LD_LIBRARY_PATH={runtimes.LIBRARIES}",
        f"LABEL {_LABEL}={mark}",
    ]


def _write_context(archive: IO[bytes], recipe: Recipe) -> None:
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for name, file in [(recipe.dockerfile, ROOT / recipe.dockerfile), *_sources(recipe)]:
            tar.add(file, name, filter=_neutral)
    archive.seek(0)


def write_root(archive: IO[bytes], files: Files, passwd: bytes) -> None:
    """The root file system of an image that holds these files, for these users."""
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        folders = {parent.as_posix() for place in files for parent in Path(place).parents} | {"/etc"}
        for folder in sorted(folders - {"/"}):
            _folder(tar, folder, 0o755)
        _folder(tar, "/tmp", 0o1777)
        written: dict[Path, str] = {}
        for place, file in files.items():
            entry = _neutral(tar.gettarinfo(file, place.lstrip("/")))
            if file in written:  # one file under two names, as `python` and `python3` are
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, written[file], 0
                tar.addfile(entry)
                continue
            written[file] = place
            with file.open("rb") as content:
                tar.addfile(entry, content)
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))


def _folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _neutral(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's file, and readable for all. Its time stays: Python compares it with that of the compiled file."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry
