"""Images of the demo on an engine that is played: built where the base can be had, else assembled, else left out."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest

from toolchain import demo_images, images, pins, ready
from toolchain.demo_images import RECIPES, DemoImages, base_image
from toolchain.docker_api import Engine, EngineError
from toolchain.images import Images
from toolchain.machine import ROOT, architecture
from toolchain.progress import Progress

PYTHON, NODE = RECIPES
WANTED = {key: image for key, image in pins.images().items() if image.local}


class PlayedEngine:
    """Knows what it has, what a registry gives it, and what was asked of it."""

    host = "unix:///played.sock"

    def __init__(self, registry: bool = False, processor: str = architecture()) -> None:
        self.registry, self.processor = registry, processor
        self.local: dict[str, str] = {}
        self.built: dict[str, set[str]] = {}
        self.loaded: dict[str, dict[str, tarfile.TarInfo]] = {}
        self.settings: list[str] = []
        self.pulls: list[str] = []

    def image(self, reference: str) -> dict[str, Any] | None:
        labels = {"observatory.recipe": self.local[reference]} if self.local.get(reference) else {}
        return {"Config": {"Labels": labels}} if reference in self.local else None

    def architecture(self) -> str:
        return self.processor

    def pull(self, repository: str, tag: str, first_seconds: float, stall_seconds: float) -> Iterator[str]:
        self.pulls.append(f"{repository}:{tag}")
        if not self.registry:
            raise EngineError("no route to host")
        self.local[f"{repository}:{tag}"] = ""
        yield "Pulling from"

    def build(self, context: IO[bytes], dockerfile: str, reference: str, labels: dict[str, str]) -> None:
        with tarfile.open(fileobj=context) as tar:
            self.built[reference] = set(tar.getnames())
        assert dockerfile in self.built[reference]
        self.local[reference] = labels["observatory.recipe"]

    def load(self, archive: IO[bytes], repository: str, tag: str, changes: list[str]) -> None:
        with tarfile.open(fileobj=archive) as tar:
            self.loaded[repository] = {entry.name: entry for entry in tar}
        self.settings = changes
        label = next(change for change in changes if change.startswith("LABEL"))
        self.local[f"{repository}:{tag}"] = label.partition("=")[2]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and runtimes of the test's own: two small files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "DIFFERENCES", tmp_path / "images.yaml")
    program = tmp_path / "program"
    program.write_text("#!")
    program.chmod(0o755)
    small = {"/usr/local/bin/python3.11": program, "/usr/local/bin/python": program}
    for repository, recipe in RECIPES.items():
        changed = {**recipe.__dict__, "runtime": lambda _progress: small}
        monkeypatch.setitem(RECIPES, repository, demo_images.Recipe(**changed))


def ensure(engine: PlayedEngine) -> dict[str, str | None]:
    progress = Progress()
    played = cast("Engine", engine)
    return DemoImages(played, Images(played, progress, {}), progress).ensure(WANTED)


def test_two_images_serve_four_programs() -> None:
    assert {image.repository for image in WANTED.values()} == {PYTHON, NODE}
    assert set(WANTED) == {"demo-shop", "demo-exporter", "demo-traffic", "demo-gateway"}


def test_they_are_built_on_their_base_where_that_can_be_pulled() -> None:
    engine = PlayedEngine(registry=True)
    assert ensure(engine) == {}
    assert engine.pulls == ["docker.io/library/python:3.13-slim", "docker.io/library/node:24-slim"]
    assert not engine.loaded
    python, node = (engine.built[f"{repository}:1.0.0"] for repository in RECIPES)
    assert {"examples/shop/cache.py", "examples/exporter/values.yaml", "metrics/http.yaml"} <= python
    assert {"examples/gateway/server.js", "examples/gateway/package-lock.json"} <= node
    assert not any("node_modules" in name for name in python | node)


def test_every_file_that_a_dockerfile_copies_is_in_its_context() -> None:
    engine = PlayedEngine(registry=True)
    ensure(engine)
    for repository, recipe in RECIPES.items():
        context = engine.built[f"{repository}:1.0.0"]
        for line in (ROOT / recipe.dockerfile).read_text().splitlines():
            if line.startswith("COPY "):
                for source in line.split()[1:-1]:
                    start = source.split("*")[0]
                    assert any(name == source or name.startswith(start) for name in context), line


def test_they_are_assembled_where_no_base_can_be_pulled() -> None:
    engine = PlayedEngine()
    assert ensure(engine) == {}
    assert not engine.built
    python, node = engine.loaded[PYTHON], engine.loaded[NODE]
    assert {"app/examples/shop/cache.py", "app/metrics/http.yaml", "etc/passwd"} <= python.keys()
    assert {"app/server.js", "app/package.json"} <= node.keys()
    assert python["tmp"].mode == 0o1777
    assert python["usr/local/bin/python3.11"].mode == 0o755
    assert python["app/examples/shop/cache.py"].mode == 0o644
    assert python["usr/local/bin/python"].issym(), "one file under two names is kept once"
    assert {entry.uid for entry in python.values()} == {0}
    assert "USER 65532:65532" in engine.settings


def test_nothing_is_made_twice_and_all_anew_once_a_file_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PlayedEngine()
    ensure(engine)
    engine.loaded.clear()
    ensure(engine)
    assert not engine.loaded
    recipe = RECIPES[NODE]
    monkeypatch.setitem(RECIPES, NODE, demo_images.Recipe(**{**recipe.__dict__, "sources": ("examples/gateway/*.js",)}))
    ensure(engine)
    assert set(engine.loaded) == {NODE}


def test_an_engine_that_this_machines_programs_do_not_run_on_has_no_demo(capsys: pytest.CaptureFixture[str]) -> None:
    engine = PlayedEngine(processor="s390x")
    assert ensure(engine) == dict.fromkeys(WANTED)
    assert "docker.io/library/python:3.13-slim cannot be pulled, and this machine's programs" in capsys.readouterr().err


def test_what_cannot_be_made_is_written_down_with_the_other_differences(tmp_path: Path) -> None:
    engine = cast("Engine", PlayedEngine())
    assert Images(engine, Progress(), {}).ensure({}, {"demo-shop": None}) == {"demo-shop": None}
    assert (tmp_path / "images.yaml").read_text() == "demo-shop: null\n"


@pytest.mark.parametrize("repository", RECIPES)
def test_a_base_is_pinned_to_a_tag(repository: str) -> None:
    base = base_image(RECIPES[repository])
    assert base.repository.startswith("docker.io/library/")
    assert base.tag[0].isdigit()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("    demo: true\n", True),
        ("    demo: true  # for a while\n", True),
        ("    demo: false\n", False),
        ("    # demo: true\n", False),
        ("    ports: {demo: 8003}\n", False),
    ],
)
def test_a_stack_file_asks_for_the_demo(tmp_path: Path, text: str, asked: bool) -> None:
    assert not ready.demo_is_asked_for(tmp_path)
    (tmp_path / "Pulumi.x.yaml").write_text(f"config:\n  observatory:stack:\n    environment: x\n{text}")
    assert ready.demo_is_asked_for(tmp_path) is asked


def test_only_those_who_may_need_the_demo_pay_for_it() -> None:
    assert {name for name, purpose in ready.PURPOSES.items() if purpose.demo} == {"e2e", "all"}
