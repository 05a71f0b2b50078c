"""A user's own certificates: taken where they serve every name, refused before anything is deployed otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from operations.certificates import make_certificates
from operations.certs import certs_command, write_files
from operations.errors import CommandError
from operations.own_certificates import read_certificates

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ["prometheus", "localhost", "127.0.0.1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files as an authority hands them out."""
    write_files(tmp_path, make_certificates("own", NAMES, 30, NOW))
    return tmp_path


def refused(folder: Path, names: list[str] = NAMES, now: datetime = NOW) -> str:
    with pytest.raises(CommandError) as caught:
        read_certificates(folder, names, now)
    return str(caught.value)


def test_files_that_belong_together_are_taken_as_they_are(folder: Path) -> None:
    found = read_certificates(folder, NAMES, NOW)
    assert found.ca == (folder / "ca.crt").read_text()
    assert found.certificate == (folder / "tls.crt").read_text()
    assert found.key == (folder / "tls.key").read_text()
    assert found.expires == NOW + timedelta(days=30)


def test_a_name_that_it_lacks_is_told(folder: Path) -> None:
    assert "tls.crt is not valid for alertmanager" in refused(folder, [*NAMES, "alertmanager"])


def test_another_key_is_refused(folder: Path) -> None:
    (folder / "tls.key").write_text(make_certificates("other", NAMES, 30, NOW).key)
    assert "tls.key is not the key of tls.crt" in refused(folder)


def test_another_authority_is_refused(folder: Path) -> None:
    (folder / "ca.crt").write_text(make_certificates("other", NAMES, 30, NOW).ca)
    assert "not issued by an authority of ca.crt" in refused(folder)


@pytest.mark.parametrize("days", [-1, 31])
def test_one_that_is_not_valid_today_is_refused(folder: Path, days: int) -> None:
    assert "not today" in refused(folder, now=NOW + timedelta(days=days))


@pytest.mark.parametrize("name", ["ca.crt", "tls.crt", "tls.key"])
def test_a_missing_or_broken_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("no PEM")
    assert "not PEM" in refused(folder)
    (folder / name).unlink()
    assert f"{name} cannot be read" in refused(folder)


def test_the_command_refuses_ones_that_lack_a_service_of_the_stack(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"not valid for .*alertmanager"):
        certs_command("staging", 397, (), tmp_path / "out", folder)
    assert not (tmp_path / "out").exists()
