"""Building an image from a Dockerfile by the engine's own API, as the demo's are where base images can be pulled."""

from __future__ import annotations

import io
import tarfile
import tempfile
from typing import IO

import pytest

from tests.e2e.engine import Engine
from toolchain import docker_api, pins
from toolchain.docker_api import EngineError


def context(**files: str) -> IO[bytes]:
    """An archive of some files."""
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    archive.seek(0)
    return archive


def test_an_image_is_built_with_its_label_and_its_files(engine: Engine, run_name: str) -> None:
    """On top of an image that is there anyway."""
    base = pins.images()["demo-shop"].pinned
    reference = f"localhost/observatory/{run_name}:1"
    dockerfile = f'FROM {base}\nCOPY note.py /app/note.py\nCMD ["note"]\n'
    builder = docker_api.Engine(docker_api.current_host())
    with context(Dockerfile=dockerfile, **{"note.py": 'print("built")\n'}) as archive:
        builder.build(archive, "Dockerfile", reference, {"observatory.recipe": "abc"})
    try:
        found = builder.image(reference)
        assert found
        assert found["Config"]["Labels"]["observatory.recipe"] == "abc"
        assert engine.client.containers.run(reference, remove=True, network_mode="none") == b"built\n"
    finally:
        engine.client.images.remove(reference, force=True)


def test_a_build_that_fails_says_why(engine: Engine) -> None:
    """With the message of the step that failed."""
    base = pins.images()["demo-shop"].pinned
    builder = docker_api.Engine(docker_api.current_host())
    with (
        context(Dockerfile=f"FROM {base}\nCOPY missing /app/\n") as archive,
        pytest.raises(EngineError, match="missing"),
    ):
        builder.build(archive, "Dockerfile", "localhost/observatory/never:1", {})
    assert builder.image("localhost/observatory/never:1") is None
