"""Claims only grow: what is refused, in which words, and that every claim is watched."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.platforms.kubernetes_growth import bytes_of, refuse_smaller
from components.platforms.kubernetes_manifests import manifests
from tests.platforms.clusters import one, stack_on_cluster
from tests.platforms.recording import deploy
from tests.support import config_of, stack


def change(before: str | None, after: str) -> pulumi.ResourceHookArgs:
    def claim(size: str) -> dict[str, Any]:
        return {"kind": "PersistentVolumeClaim", "spec": {"resources": {"requests": {"storage": size}}}}

    old = claim(before) if before else None
    return pulumi.ResourceHookArgs("urn", "id", "prometheus-data", "type", claim(after), old)


@pytest.mark.parametrize(("before", "after"), [("10Gi", "9Gi"), ("1Ti", "1023Gi"), ("10G", "9Gi"), ("2048", "1Ki")])
def test_a_smaller_claim_is_refused_with_both_sizes(before: str, after: str) -> None:
    with pytest.raises(ValueError, match=f"prometheus-data has {before} and cannot shrink to {after}.*kubernetes.vol"):
        refuse_smaller(change(before, after))


@pytest.mark.parametrize("written", ["700MB", "10GB", "2TB"])
def test_what_it_says_to_write_is_the_size_that_was_deployed(written: str) -> None:
    cluster = {"context": "test", "volumes": {"alertmanager": written}}
    made = manifests(stack_on_cluster(stack(platform="kubernetes", kubernetes=cluster)))
    claim = one(made, "PersistentVolumeClaim", "alertmanager-data")
    with pytest.raises(ValueError, match=f": write {written} or more in"):
        refuse_smaller(change(claim["spec"]["resources"]["requests"]["storage"], "1Mi"))


@pytest.mark.parametrize(("before", "after"), [("10Gi", "10Gi"), ("10Gi", "11Gi"), ("1024Mi", "1Gi"), (None, "1Gi")])
def test_a_claim_that_stays_or_grows_is_not(before: str | None, after: str) -> None:
    refuse_smaller(change(before, after))


def test_quantities_are_read_as_kubernetes_reads_them() -> None:
    read = {"1": 1, "1Ki": 1024, "1.5Gi": 1.5 * 2**30, "2Ti": 2**41, "3k": 3000, "3M": 3e6, "3G": 3e9, "3T": 3e12}
    assert {text: bytes_of(text) for text in read} == read
    for text in ("", "Gi", "1GB", "-1Gi"):
        with pytest.raises(ValueError, match="no size"):
            bytes_of(text)


def test_every_claim_is_watched_and_nothing_else() -> None:
    for each in deploy(config_of("k8s-prod")).resources:
        watched = each.type.endswith(":PersistentVolumeClaim")
        assert each.before_update == (("claims-only-grow",) if watched else ()), each.name
