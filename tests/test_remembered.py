"""What is remembered is never stale, never wrong, and never in the way."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components import remembered as module
from components.remembered import remembered


def test_a_result_is_made_once_for_what_it_was_made_from(tmp_path: Path) -> None:
    made: list[str] = []

    def make(text: str) -> Any:
        made.append(text)
        return {"text": [text, 1.5, None, True]}

    for text in ("a", "b", "a", "b"):
        expected = {"text": [text, 1.5, None, True]}
        assert remembered("kind", ["x", text], partial(make, text), tmp_path) == expected
    assert made == ["a", "b"]


def test_parts_are_not_run_together(tmp_path: Path) -> None:
    assert remembered("kind", ["ab", "c"], lambda: 1, tmp_path) == 1
    assert remembered("kind", ["a", "bc"], lambda: 2, tmp_path) == 2
    assert remembered("other", ["ab", "c"], lambda: 3, tmp_path) == 3


@pytest.mark.parametrize("result", [{1: "a"}, (1, 2), {"a": (1,)}, {"a": object()}, float("nan")])
def test_what_json_would_change_is_not_kept(tmp_path: Path, result: Any) -> None:
    assert remembered("kind", ["x"], lambda: result, tmp_path) is result
    assert remembered("kind", ["x"], lambda: "made again", tmp_path) == "made again"


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    assert remembered("kind", ["x"], lambda: [1], tmp_path) == [1]
    (path,) = tmp_path.glob("kind/*.json")
    path.write_text("[1")
    assert remembered("kind", ["x"], lambda: [2], tmp_path) == [2]
    assert remembered("kind", ["x"], lambda: [3], tmp_path) == [2]


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert remembered("kind", ["x"], lambda: [1], blocked) == [1]


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    def fail() -> Any:
        raise KeyError("x")

    with pytest.raises(KeyError):
        remembered("kind", ["x"], fail, tmp_path)
    assert remembered("kind", ["x"], lambda: 1, tmp_path) == 1


def test_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    for number in range(4):
        remembered("kind", [str(number)], partial(int, number), tmp_path)
        newest = max(tmp_path.glob("kind/*.json"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    assert remembered("kind", ["3"], lambda: "made again", tmp_path) == 3
    assert remembered("kind", ["0"], lambda: "made again", tmp_path) == "made again"
    assert len(list(tmp_path.glob("kind/*"))) == 2
