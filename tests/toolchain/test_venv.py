"""When the environment is made anew: with every requirement file that is included, at any depth."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import venv


def test_an_included_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv, "ROOT", tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / venv.RUN).write_text("a==1\n")
    (tmp_path / venv.DEVELOP).write_text(f"-r {venv.RUN}\n-r sub/more.txt\nb==1\n")
    (tmp_path / "sub" / "more.txt").write_text("-r deep.txt\n")
    (tmp_path / "sub" / "deep.txt").write_text("c==1\n")
    run, develop = venv._digest(venv.RUN), venv._digest(venv.DEVELOP)
    (tmp_path / "sub" / "deep.txt").write_text("c==2\n")
    assert venv._digest(venv.RUN) == run
    assert venv._digest(venv.DEVELOP) != develop
