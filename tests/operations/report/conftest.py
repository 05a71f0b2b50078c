"""The repository that the tests of `report` change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.yaml_text import dump
from tests.operations.report.prepared_changes import POLICY, STACKS
from tests.operations.report.repository import Repository


@pytest.fixture(scope="session")
def _repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(
        tmp_path_factory.mktemp("repository") / "monitoring", STACKS, {"stacks/policy.yaml": dump(POLICY)}
    )


@pytest.fixture
def repository(_repository: Repository) -> Iterator[Repository]:
    """Its working tree as it was reviewed."""
    yield _repository
    _repository.restore()
