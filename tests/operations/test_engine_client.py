"""The engine of the stack file wins; the one of the variables comes with its certificates."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import parse_stack
from operations.engine_client import engine_client
from tests.support import MINIMAL, changed

VARIABLES = {"DOCKER_HOST": "tcp://user:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/keys"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How the library was asked for a client."""
    found: list[dict[str, Any]] = []
    for name in ("DockerClient", "from_env"):
        monkeypatch.setattr(f"docker.{name}", lambda **given: found.append(given))
    return found


def test_the_engine_of_the_variables(asked: list[dict[str, Any]]) -> None:
    engine_client(parse_stack(MINIMAL, "test"), VARIABLES)
    engine_client(parse_stack(MINIMAL, "test"), {}, timeout=5)
    assert asked == [{"environment": VARIABLES, "timeout": 60}, {"environment": {}, "timeout": 5}]


def test_the_engine_of_the_stack_file(asked: list[dict[str, Any]]) -> None:
    engine_client(parse_stack(changed(MINIMAL, docker__host="tcp://stack:2375"), "test"), VARIABLES)
    assert asked == [{"base_url": "tcp://stack:2375", "timeout": 60}]
