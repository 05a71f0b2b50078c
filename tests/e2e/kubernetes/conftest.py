"""A control plane for each module of tests, with what users have in their clusters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kubernetes.cluster import Cluster
from tests.e2e.kubernetes.kinds import gateway_kinds, operator_kinds
from tests.e2e.kubernetes.stacks import USERS


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Running; objects that a test leaves stay."""
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        found.start()
        found.have_kinds([*operator_kinds(), *gateway_kinds()])
        for name in USERS:
            found.have_namespace(name)
        found.create(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": "monitoring"},
                "value": 1000,
            }
        )
        yield found
    finally:
        found.stop()
