"""`render` keeps a folder exactly as the plan is, and touches nothing that is not its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.spec import File, Plan, Resources, Service
from operations.errors import CommandError
from operations.render import MARKER, render_command, rendered_files, write_tree
from tests.support import plan_of


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder but the marker."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_every_file_of_every_service_is_there_withheld_ones_too() -> None:
    service = Service("a", "A", "image", "1:1", Resources(1, 1), files=(File("x/y.yml", "1"),))
    withheld = Service("b", "B", "", "1:1", Resources(1, 1), files=(File("z", "<secret:token>"),))
    plan = Plan("test", (service,), ("b",), (withheld,))
    assert rendered_files(plan) == {"a/x/y.yml": "1", "b/z": "<secret:token>"}


def test_secrets_are_placeholders(tmp_path: Path) -> None:
    write_tree(tmp_path, rendered_files(plan_of("prod")))
    assert (tmp_path / "prometheus/secrets/access-password").read_text() == "<secret:accessPassword>"
    assert "<bcrypt:accessPassword>" in (tmp_path / "prometheus/web.yml").read_text()


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    files = rendered_files(plan_of("dev"))
    assert write_tree(tmp_path / "out", files) == []
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert write_tree(tmp_path / "out", files) == []
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    # The marker is written for the old and new files, which are the same: so it stays, too.
    assert after == before
    assert tree(tmp_path / "out") == files


def test_stale_files_and_their_empty_folders_go(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/old/deep.yml": "1", "a/kept.yml": "1"})
    (tmp_path / "mine.txt").write_text("not rendered")
    assert write_tree(tmp_path, {"a/kept.yml": "2"}) == ["a/old/deep.yml"]
    assert tree(tmp_path) == {"a/kept.yml": "2", "mine.txt": "not rendered"}
    assert not (tmp_path / "a/old").exists()


def test_a_file_may_become_a_folder_and_back(tmp_path: Path) -> None:
    for files in ({"a": "1"}, {"a/b": "2"}, {"a": "3"}):
        write_tree(tmp_path, files)
        assert tree(tmp_path) == files


def test_a_folder_of_others_is_refused_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CommandError, match=r"holds files that `render` did not write"):
        write_tree(tmp_path, {"a": "1"})
    assert tree(tmp_path) == {"thesis.txt": "years of work"}
    write_tree(tmp_path, {"a": "1"}, force=True)
    assert tree(tmp_path) == {"a": "1", "thesis.txt": "years of work"}


def test_an_interruption_is_cleaned_up_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"old": "1"})
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if target.name == "second":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_tree(tmp_path, {"first": "1", "second": "2"})
    monkeypatch.undo()
    assert tree(tmp_path) == {"first": "1"}
    assert write_tree(tmp_path, {"third": "3"}) == ["first"]
    assert tree(tmp_path) == {"third": "3"}


def test_a_marker_cannot_reach_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("stays")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MARKER).write_text(json.dumps({"files": ["../outside.txt", str(outside)]}))
    assert write_tree(folder, {"a": "1"}) == []
    assert outside.read_text() == "stays"


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(CommandError, match="out cannot be written"):
        write_tree(tmp_path / "out", {"a": "1"})


def test_json_lists_every_file_with_its_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_command("prod", tmp_path / "out", False, True) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {each["path"] for each in listed} == set(tree(tmp_path / "out"))
    assert {"service": "prometheus", "path": "prometheus/tls.key", "secrets": ["tlsKey"]} in listed
