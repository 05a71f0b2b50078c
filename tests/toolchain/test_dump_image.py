"""The image that copies Grafana's database, on an engine that is played: pulled, made of Debian's, or left out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.toolchain.test_demo_images import PlayedEngine
from toolchain import dump_image, images, pins, postgresql, root_filesystem
from toolchain.docker_api import Engine
from toolchain.images import Images
from toolchain.machine import ToolchainError
from toolchain.progress import Progress

IMAGE = pins.images()[dump_image.KEY]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and a busybox."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "DIFFERENCES", tmp_path / "images.yaml")
    busybox = tmp_path / "busybox"
    busybox.write_text("#!")
    monkeypatch.setattr(root_filesystem, "find_busybox", lambda: busybox)


def ensure(engine: PlayedEngine) -> dict[str, str | None]:
    played, progress = cast("Engine", engine), Progress()
    return dump_image.ensure(played, Images(played, progress, {}), progress, IMAGE)


def test_what_can_be_pulled_is_no_difference() -> None:
    assert ensure(PlayedEngine(registry=True)) == {}


def test_it_is_made_once_of_debians_postgresql_with_client_and_server() -> None:
    programs = postgresql.program()
    if programs is None or not programs.is_relative_to(postgresql.DEBIAN):
        pytest.skip("needs PostgreSQL of Debian")
    engine, version = PlayedEngine(), programs.parts[-3]
    assert ensure(engine) == {dump_image.KEY: f"{IMAGE.repository}:{version}-debian"}
    (files,) = engine.loaded.values()
    folder = str(programs.parent).lstrip("/")
    assert {f"{folder}/{name}" for name in ("pg_dump", "psql", "initdb", "postgres")} <= files.keys()
    assert {"bin/sh", "bin/nc", "etc/passwd", "tmp"} <= files.keys()
    assert not [name for name in files if "llvm" in name.lower()], "a compiler of 100 MB that nobody needs"
    assert "USER 70:70" in engine.settings
    engine.loaded.clear()
    ensure(engine)
    assert engine.loaded == {}


def test_for_another_processor_or_without_debian_it_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ensure(PlayedEngine(processor="s390x")) == {dump_image.KEY: None}
    assert "this machine's programs do not run there" in capsys.readouterr().err

    def missing(_progress: Progress) -> Path:
        raise ToolchainError("install it")

    monkeypatch.setattr(postgresql, "ensure", missing)
    assert ensure(PlayedEngine()) == {dump_image.KEY: None}
    assert "cannot be made here: install it" in capsys.readouterr().err
