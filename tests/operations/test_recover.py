"""After a power cut only containers are removed, which hold no data, and only the stack's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from operations import recover
from operations.errors import UsageError
from operations.recover import CONTAINER, half_made


def creating(kind: str, name: str, operation: str = "creating") -> dict[str, object]:
    return {"resource": {"type": kind, "inputs": {"name": name}}, "type": operation}


def test_containers_that_were_being_created() -> None:
    operations = [
        creating(CONTAINER, "observatory-dev-prometheus"),
        creating("docker:index/volume:Volume", "observatory-dev-prometheus-data"),
        creating(CONTAINER, "observatory-dev-jaeger", "updating"),
        creating(CONTAINER, "observatory-developer-jaeger"),
        creating(CONTAINER, "shop"),
    ]
    found = half_made({"deployment": {"pending_operations": operations}}, "dev")
    assert found == ["observatory-dev-prometheus"]


@pytest.mark.parametrize("state", [{}, {"deployment": None}, {"deployment": {"resources": []}}])
def test_a_state_without_pending_operations_has_nothing_half_made(state: dict[str, object]) -> None:
    assert half_made(state, "dev") == []


def test_without_a_terminal_yes_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pulumi:
        @classmethod
        def of(cls, _stack: str) -> Pulumi:
            return cls()

    monkeypatch.setattr(recover, "Pulumi", Pulumi)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(UsageError, match="no other update"):
        recover.recover_command("dev", yes=False)


def played(monkeypatch: pytest.MonkeyPatch, backend: str, state: dict[str, object]) -> list[str]:
    """`recover` with a Pulumi that only says what it is asked; what happened, in order."""
    happened: list[str] = []

    class Pulumi:
        stack = "dev"
        variables: ClassVar[dict[str, str]] = {}

        @classmethod
        def of(cls, _stack: str) -> Pulumi:
            return cls()

        def backend(self) -> str:
            return backend

        def ask(self, *arguments: str) -> str:
            happened.append(" ".join(arguments))
            return json.dumps(state)

        def show(self, *arguments: str) -> int:
            happened.append(" ".join(arguments))
            return 0

    def mended(folder: Path, stack: str) -> list[str]:
        happened.append(f"mend {folder} {stack}")
        return ["mended"]

    monkeypatch.setattr(recover, "Pulumi", Pulumi)
    monkeypatch.setattr(recover, "mend", mended)
    return happened


REFRESH = "refresh --yes --skip-preview --clear-pending-creates"


def test_a_state_in_a_folder_is_mended_before_pulumi_reads_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    happened = played(monkeypatch, "file:///state", {})
    assert recover.recover_command("dev", yes=True) == 0
    assert happened == ["mend /state/.pulumi dev", "cancel --yes", "stack export", REFRESH]
    assert "mended\n" in capsys.readouterr().out


@pytest.mark.parametrize("backend", ["s3://bucket", ""])
def test_a_state_elsewhere_is_left_to_pulumi(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = played(monkeypatch, backend, {})
    assert recover.recover_command("dev", yes=True) == 0
    assert happened == ["cancel --yes", "stack export", REFRESH]


def test_where_nothing_was_half_made_no_engine_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(**_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr("docker.from_env", engine)
    happened = played(monkeypatch, "s3://bucket", {"deployment": {"resources": []}})
    assert recover.recover_command("dev", yes=True) == 0
    assert happened[-1] == REFRESH
