"""Versions are read from the files that pin them, and a recipe changes with everything that makes a build."""

import hashlib
import json
from pathlib import Path

import pytest

from toolchain import pins, programs
from toolchain.machine import ToolchainError

TABLE = {"version": "1.2.3", "binaries": {"tool": "example.com/tool"}, "tags": ["netgo"]}


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "go.mod").write_text("module x\n")
    (tmp_path / "sub" / "main.go").write_text("package main\n")
    return tmp_path


def test_recipe_is_the_documented_hash(module: Path) -> None:
    content = b"go.mod\nmodule x\n" + b"sub/main.go\npackage main\n" + json.dumps(TABLE, sort_keys=True).encode()
    assert pins.recipe(module, TABLE) == hashlib.sha256(content).hexdigest()[:10]


def test_recipe_changes_with_a_file_and_with_the_table(module: Path) -> None:
    first = pins.recipe(module, TABLE)
    other_table = pins.recipe(module, {**TABLE, "tags": []})
    (module / "go.sum").write_text("")
    assert len({first, other_table, pins.recipe(module, TABLE)}) == 3


def test_images_with_and_without_digest(tmp_path: Path) -> None:
    file = tmp_path / "versions.yaml"
    file.write_text(
        "# comment\n\na-b:  {image: quay.io/a/b, tag: v1.2}\nc: {image: x/c, tag: '2', digest: sha256:ab}\n"
    )
    images = pins.images(file)
    assert images["a-b"].pinned == "quay.io/a/b:v1.2"
    assert images["c"].pinned == "x/c:2@sha256:ab"


def test_a_line_that_is_not_understood_is_named(tmp_path: Path) -> None:
    file = tmp_path / "versions.yaml"
    file.write_text("a: {image: x, tag: 1}\nb:\n")
    with pytest.raises(ToolchainError, match=r"versions\.yaml line 2"):
        pins.images(file)


def test_the_files_of_this_project_fit_together() -> None:
    content = pins.tables()
    programs, images = pins.programs(content), pins.images()
    for key, table in content["images"].items():
        assert key in images
        program = programs[table["program"]]
        assert set(table["binaries"].values()) <= program.binaries.keys()
        assert program.version in table["tag"]
    for program in programs.values():
        assert (pins.MODULES / program.name / "go.mod").is_file()


def test_requirement() -> None:
    assert pins.requirement("pulumi-docker").count(".") == 2
    with pytest.raises(ToolchainError, match="does not pin nothing"):
        pins.requirement("nothing")


def test_an_image_says_where_alone_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "versions.yaml"
    file.write_text("a: {image: x/a, tag: '1'}\nb: {image: x/b, tag: '2', platform: kubernetes}\n")
    assert {key: image.platform for key, image in pins.images(file).items()} == {"a": "", "b": "kubernetes"}


def test_what_cannot_be_downloaded_is_built() -> None:
    """Of kube-state-metrics there is an image, and no program to download."""
    source = programs.sources(pins.programs(pins.tables()))["kube-state-metrics"]
    assert source.download is None
    assert source.version == pins.images()["kube-state-metrics"].tag.removeprefix("v")
