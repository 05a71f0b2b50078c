"""The runtimes that go into an image: all they need, and nothing that nobody reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from toolchain import runtimes


@pytest.fixture(scope="module")
def libraries() -> runtimes.Files:
    return runtimes._libraries([Path("/bin/sh").resolve()])


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="images are of Linux")
def test_a_program_runs_on_the_libraries_that_are_found_for_it(libraries: runtimes.Files, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    loaders = [place for place in libraries if not place.startswith(runtimes.LIBRARIES)]
    for place, file in libraries.items():
        if place.startswith(runtimes.LIBRARIES):
            (folder / Path(place).name).symlink_to(file)
    assert len(loaders) == 1
    found = subprocess.run(
        [loaders[0], "--inhibit-cache", "--library-path", str(folder), "/bin/sh", "-c", "echo runs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == "runs\n", found.stderr


def test_of_compiled_python_only_this_interpreters_goes_in(tmp_path: Path) -> None:
    for name in ("a.py", "__pycache__/a.this.pyc", "__pycache__/a.other.pyc", "test/b.py", "config-3/c.o"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = runtimes._tree(tmp_path, "/lib", {"test"}, ".this.pyc")
    assert set(found) == {"/lib/a.py", "/lib/__pycache__/a.this.pyc"}
