"""A state that a power cut has cut is made readable, and nothing that can be read is touched."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest

from operations.errors import CommandError
from operations.state_files import mend, state_folder

SIDE = '{"user.content_type":"text/plain","md5":"x"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole state of two stacks, with side files."""
    folder = tmp_path / ".pulumi"
    for path in (
        "meta.yaml",
        "stacks/observatory/dev.json",
        "stacks/observatory/dev.json.bak",
        "stacks/observatory/prod.json",
        "locks/organization/observatory/dev/1.json",
        "history/observatory/dev/dev-1.history.json",
        "backups/observatory/dev/dev.1.json",
    ):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'{{"of": "{path}"}}')
        file.with_name(f"{file.name}.attrs").write_text(SIDE)
    return folder


def everything(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_whole_state_stays_as_it_is(folder: Path) -> None:
    before = everything(folder)
    assert mend(folder, "dev") == []
    assert mend(folder, "unknown") == []
    assert everything(folder) == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert mend(tmp_path / "none", "dev") == []


@pytest.mark.parametrize("left", ["", SIDE[:20]])
@pytest.mark.parametrize(
    "side",
    [
        "meta.yaml.attrs",
        "stacks/observatory/dev.json.attrs",
        "stacks/observatory/prod.json.attrs",
        "locks/organization/observatory/dev/1.json.attrs",
        "history/observatory/dev/dev-1.history.json.attrs",
        "backups/observatory/dev/dev.1.json.attrs",
    ],
)
def test_a_cut_side_file_goes_and_nothing_else(folder: Path, side: str, left: str) -> None:
    before = everything(folder)
    (folder / side).write_text(left)
    (said,) = mend(folder, "dev")
    assert said.startswith("removed 1 of Pulumi's side files in ")
    del before[side]
    assert everything(folder) == before


def test_side_files_of_other_things_in_a_home_directory_are_not_looked_at(folder: Path) -> None:
    other = folder / "plugins" / "resource-x" / "a.attrs"
    other.parent.mkdir(parents=True)
    other.write_text("")
    assert mend(folder, "dev") == []
    assert other.exists()


@pytest.mark.parametrize("left", ["", '{"version": 3, "check'])
def test_a_cut_state_is_the_one_before(folder: Path, left: str) -> None:
    before = everything(folder)
    (folder / "stacks/observatory/dev.json").write_text(left)
    (folder / "stacks/observatory/dev.json").chmod(0o600)
    (said,) = mend(folder, "dev")
    assert "dev.json was cut: took " in said
    assert "dev.json.bak, the newest before it" in said
    before["stacks/observatory/dev.json"] = before["stacks/observatory/dev.json.bak"]
    assert everything(folder) == before
    assert stat.S_IMODE((folder / "stacks/observatory/dev.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("before", ["", None])
def test_where_that_is_cut_too_it_is_the_newest_copy(folder: Path, before: str | None) -> None:
    state = folder / "stacks/observatory/dev.json"
    state.write_text("")
    older = state.with_name("dev.json.bak")
    older.unlink() if before is None else older.write_text(before)
    copies = folder / "backups/observatory/dev"
    for time, content in (("1700000000000000001", '{"is": 1}'), ("1700000000000000002", '{"is": 2}'), ("18", "")):
        (copies / f"dev.{time}.json").write_text(content)
    (said,) = mend(folder, "dev")
    assert f"took {copies}/dev.1700000000000000002.json" in said
    assert state.read_text() == '{"is": 2}'


def test_where_nothing_is_left_it_says_so_and_changes_nothing(folder: Path) -> None:
    state = folder / "stacks/observatory/dev.json"
    for file in (state, state.with_name("dev.json.bak"), folder / "backups/observatory/dev/dev.1.json"):
        file.write_text("")
    before = everything(folder)
    with pytest.raises(CommandError, match=r"dev\.json is cut, and so is all that Pulumi keeps of it"):
        mend(folder, "dev")
    assert everything(folder) == before


def test_a_folder_of_somebody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(CommandError, match=r"dev\.json: Permission denied"):
        mend(folder, "dev")


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ("file:///var/state", "/var/state/.pulumi"),
        ("file:///var/state?metadata=skip&no_tmp_dir=true", "/var/state/.pulumi"),
        ("file:///var/my%20state", "/var/my state/.pulumi"),
        ("file://~", "/home/me/.pulumi"),
        ("file://~/work?metadata=skip", "/home/me/work/.pulumi"),
        ("file://./state", "/project/state/.pulumi"),
        ("s3://bucket/state", None),
        ("https://api.pulumi.com", None),
        ("postgres://file:///x", None),
        ("", None),
    ],
)
def test_the_folder_of_a_backend(backend: str, found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert state_folder(backend, Path("/project")) == (Path(found) if found else None)
