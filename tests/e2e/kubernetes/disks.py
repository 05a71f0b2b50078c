"""Volumes of a cluster that has no provisioner."""

from __future__ import annotations

from tests.e2e.kubernetes.cluster import Cluster


def have_disks(cluster: Cluster, count: int) -> None:
    """The storage class `grows`, and as many volumes of 10 GiB for claims to be bound to."""
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "grows"}}
    cluster.create({**storage, "provisioner": "kubernetes.io/no-provisioner", "allowVolumeExpansion": True})
    for number in range(count):
        cluster.create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"disk-{number}"},
                "spec": {
                    "capacity": {"storage": "10Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "grows",
                    "hostPath": {"path": f"/disks/{number}"},
                },
            }
        )
