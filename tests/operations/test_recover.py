"""After a power cut only containers are removed, which hold no data, and only the stack's own."""

from __future__ import annotations

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
