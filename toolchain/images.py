"""The images of a stack: there already, else pulled, else assembled from the program that was built here."""

from __future__ import annotations

import hashlib
import inspect
import json
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from toolchain import atomic, pins, root_filesystem
from toolchain.children import check_interrupted
from toolchain.docker_api import Engine, EngineError
from toolchain.golang import build
from toolchain.machine import STATE, ToolchainError, cache_folder
from toolchain.progress import Progress
from toolchain.root_filesystem import Recipe

DIFFERENCES = STATE / "images.yaml"  # `name: reference` or `name: null` a line; empty when all is as pinned
FIRST_SECONDS = 15.0  # a registry that answers has said something by then
_STALL_SECONDS = 120.0
_RETRY_SECONDS = 3600.0
_LABEL = "observatory.recipe"
_NOT_THERE = ("manifest unknown", "not found: manifest", "repository does not exist", "access denied", "unauthorized")


class Images:
    """Readies the images of one engine and writes down what differs from `components/versions.yaml`."""

    def __init__(self, engine: Engine, progress: Progress, content: dict[str, Any], retry: bool = False) -> None:
        self._engine = engine
        self._progress = progress
        self._recipes = {key: Recipe.of(table) for key, table in content.get("images", {}).items()}
        self._tables = content.get("images", {})
        self._programs = pins.programs(content)
        self._retry = retry
        self._failures = cache_folder() / "pulls.json"
        self._lock = threading.Lock()
        self._down: dict[str, str] = {}
        self._registries: dict[str, threading.Lock] = {}

    def obtain(self, image: pins.Image) -> bool:
        """Whether an image is there, pulled now if it has to be."""
        return self._serves(image.pinned, "") or self._pull(image)

    def ensure(
        self, wanted: dict[str, pins.Image], made: Mapping[str, str | None] = MappingProxyType({})
    ) -> dict[str, str | None]:
        """Readies all images; returns and writes the differences alone: another reference, or None.

        `made` are the differences of images that are made elsewhere.
        """
        own = {key: image for key, image in wanted.items() if key not in made}
        with ThreadPoolExecutor(max_workers=len(own) or 1) as pool:
            used = dict(zip(own, pool.map(self._one, own.values()), strict=True))
        differences = {key: got for key, got in used.items() if got != wanted[key].pinned} | dict(made)
        self._write(differences, wanted)
        return differences

    def _one(self, image: pins.Image) -> str | None:
        recipe = self._recipes.get(image.key)
        mark = self._mark(image.key, recipe) if recipe else ""
        if self._serves(image.pinned, mark) or self._pull(image):
            return image.pinned
        if recipe is None:
            return None
        reference = f"{image.repository}:{recipe.tag}"
        if not self._serves(reference, mark):
            self._assemble(image, recipe, mark)
        return reference

    def _serves(self, reference: str, mark: str) -> bool:
        """Whether the engine has an image: from anywhere else, or assembled here in the way of today."""
        local = self._engine.image(reference)
        labels = ((local or {}).get("Config") or {}).get("Labels") or {}
        return local is not None and labels.get(_LABEL, mark) == mark

    def _pull(self, image: pins.Image) -> bool:
        """Tries the registry; the others of the same registry wait for the first one's result."""
        registry = image.repository.split("/", 1)[0]
        if self._failed_lately(image):
            return False
        with self._lock:
            turn = self._registries.setdefault(registry, threading.Lock())
        with turn:
            if registry in self._down:
                self._remember(image)
                return False
            with self._progress.step(f"image {image.key}", f"pulling {image.tagged}", "pulled") as step:
                started = False
                try:
                    lines = self._engine.pull(
                        image.repository, image.digest or image.tag, FIRST_SECONDS, _STALL_SECONDS
                    )
                    for _ in lines:
                        started = True
                        check_interrupted()
                    if image.digest:
                        self._engine.tag(f"{image.repository}@{image.digest}", image.repository, image.tag)
                except (EngineError, OSError) as error:
                    text = str(error) or "no answer"
                    if not started and not any(each in text.lower() for each in _NOT_THERE):
                        self._down[registry] = text
                        text = f"{registry} does not answer"
                    step.done = f"cannot be pulled here ({text})"
                    self._remember(image)
                    return False
        return True

    def _assemble(self, image: pins.Image, recipe: Recipe, mark: str) -> None:
        architecture = self._engine.architecture()
        built = build(self._programs[recipe.program], self._progress, ("linux", architecture))
        busybox = root_filesystem.find_busybox() if recipe.busybox else None
        changes = [
            f"USER {recipe.user}",
            f"WORKDIR {recipe.workdir}",
            f"ENTRYPOINT {json.dumps(recipe.entrypoint)}",
            f"CMD {json.dumps(recipe.command)}",
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"ENV ZONEINFO={root_filesystem.ZONES_IN_IMAGE}",
            f"LABEL {_LABEL}={mark}",
            *(f"EXPOSE {port}" for port in recipe.expose),
        ]
        with (
            self._progress.step(f"image {image.key}", f"assembling {image.repository}:{recipe.tag}", "assembled"),
            tempfile.TemporaryFile() as archive,
        ):
            root_filesystem.write(archive, recipe, built / "bin", busybox)
            archive.seek(0)
            try:
                self._engine.load(archive, image.repository, recipe.tag, changes)
            except (EngineError, OSError) as error:
                raise ToolchainError(f"image {image.key}: the Docker engine refused it: {error}") from error

    def _mark(self, key: str, recipe: Recipe) -> str:
        """Changes with the program, with the image's table and with how images are assembled."""
        code = inspect.getsource(root_filesystem)
        program = self._programs.get(recipe.program)
        if program is None:
            raise ToolchainError(f"programs.toml has no program {recipe.program}, which its image {key} needs; add it")
        text = f"{program.folder_name}\n{json.dumps(self._tables[key], sort_keys=True)}\n{code}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _write(self, differences: dict[str, str | None], wanted: dict[str, pins.Image]) -> None:
        text = "".join(f"{key}: {value or 'null'}\n" for key, value in sorted(differences.items()))
        before = DIFFERENCES.read_text(encoding="utf-8") if DIFFERENCES.exists() else ""
        if text != before:
            atomic.write(DIFFERENCES, text)
        for key, value in sorted(differences.items()):
            if value is None:
                self._progress.note(f"{key}: image cannot be pulled here; the stack is deployed without it")
            else:
                self._progress.note(f"{key}: {value} is used, built here; {wanted[key].pinned} cannot be pulled here")

    def _failed_lately(self, image: pins.Image) -> bool:
        return not self._retry and time.time() - self._failed().get(self._failure_key(image), 0) < _RETRY_SECONDS

    def _failure_key(self, image: pins.Image) -> str:
        return f"{self._engine.host} {image.pinned}"

    def _failed(self) -> dict[str, float]:
        try:
            content = json.loads(self._failures.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return dict(content)

    def _remember(self, image: pins.Image) -> None:
        with self._lock:
            atomic.write(self._failures, json.dumps({**self._failed(), self._failure_key(image): time.time()}) + "\n")
