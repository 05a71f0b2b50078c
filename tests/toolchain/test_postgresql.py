"""PostgreSQL of the machine is found, and installed only where that is possible."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import postgresql
from toolchain.machine import ToolchainError
from toolchain.progress import Progress


def no_server(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder / "nowhere"))
    monkeypatch.setattr(postgresql, "DEBIAN", folder)


def made(file: Path) -> Path:
    file.parent.mkdir(parents=True)
    file.touch(mode=0o755)
    return file


def test_the_newest_of_debians_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_server(monkeypatch, tmp_path)
    assert postgresql.program() is None
    made(tmp_path / "9" / "bin" / "postgres")
    newest = made(tmp_path / "15" / "bin" / "postgres")
    assert postgresql.program() == newest
    assert postgresql.ensure(Progress()) == newest


def test_one_on_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_server(monkeypatch, tmp_path)
    made(tmp_path / "15" / "bin" / "postgres")
    own = made(tmp_path / "own" / "postgres")
    monkeypatch.setenv("PATH", str(own.parent))
    assert postgresql.program() == own


def test_it_is_installed_by_root_on_debian_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_server(monkeypatch, tmp_path)
    packages: list[str] = []

    def install(name: str) -> None:
        packages.append(name)
        made(tmp_path / "17" / "bin" / "postgres")

    monkeypatch.setattr(postgresql, "apt_install", install)
    monkeypatch.setattr(postgresql, "is_debian", lambda: True)
    monkeypatch.setattr(postgresql, "is_root", lambda: False)
    with pytest.raises(ToolchainError, match="need PostgreSQL; install it and run again"):
        postgresql.ensure(Progress())
    monkeypatch.setattr(postgresql, "is_root", lambda: True)
    assert postgresql.ensure(Progress()) == tmp_path / "17" / "bin" / "postgres"
    assert packages == ["postgresql"]
