"""One real node with one stack for all tests here; `make cluster` runs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.engine import Engine, until
from tests.e2e.kubernetes.cluster import Cluster
from tests.e2e.kubernetes.deployed import REPLICAS, USERS, Deployed, is_ready, values_of
from tests.e2e.kubernetes.node import Node
from tests.e2e.kubernetes.node_images import images_of, made_images
from tests.e2e.project import Project
from tests.platforms.clusters import WORKLOADS, of_kind
from toolchain import pins

FURTHER_DISKS = REPLICAS - 1 + 4 + 1
"""Of Alertmanagers that a test adds, of two drills, and of a claim that is lost."""


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Skips where there is none to be had."""
    if shutil.which("kubelet") is None:
        pytest.skip("`make cluster` has a node, this run has none")
    found = Node(tmp_path_factory.mktemp("node"))
    yield found
    found.stop()


@pytest.fixture(scope="session")
def cluster(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane where the node reaches it."""
    found = Cluster(tmp_path_factory.mktemp("cluster"), host=node.gateway, advertised=node.gateway)
    try:
        found.start()
        found.start_controllers()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def deployed(node: Node, cluster: Cluster, engine: Engine, project: Project) -> Deployed:
    """All pods ready."""
    found = Deployed(project, cluster, values_of(cluster.kubeconfig))
    cluster.have_namespace("shop")
    objects = found.apply()
    with made_images(engine) as made:
        node.join(cluster, engine, {*made, *images_of([*objects, USERS]), pins.images()["backup"].tagged})
    node.have_disks(cluster, len(of_kind(objects, "PersistentVolumeClaim")) + FURTHER_DISKS)
    until(lambda: cluster.has_account("shop"), "the namespace has its account")
    cluster.create(USERS)
    for each in of_kind(objects, *WORKLOADS):
        name = each["metadata"]["name"]
        until(lambda name=name: is_ready(found.pod(name)), f"{name} is ready", 120)  # type: ignore[misc]
    return found
