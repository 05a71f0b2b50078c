"""What becomes of samples when a stack keeps them elsewhere: what dashboards see then, and what they no longer do."""

from __future__ import annotations

from typing import Any

import pytest

from operations.report.change import Change
from operations.report.compare import compared
from operations.report.reach import reach_changes
from operations.report.snapshot import Snapshot, of_plan
from tests.support import planned, stack

BUCKET = {"name": "acme-metrics", "region": "eu-central-1"}
NODES: dict[str, Any] = {"backend": "victoria", "victoria": {"cluster": {}}}
S3: dict[str, Any] = {"backend": "s3", "bucket": BUCKET}
OWN: dict[str, Any] = {"backend": "thanos", "bucket": BUCKET}
FROM_DISK = "of before: the last 15d, which are on Prometheus' disk"
ANEW = "begins anew; of before, the last 15d are seen in Prometheus itself"


def of(storage: Any, **changes: Any) -> Snapshot:
    config = stack(**{"storage": storage, "high_availability": {"one_host": True}} | changes)
    return of_plan(config, planned(config))


def cortex(**settings: Any) -> dict[str, Any]:
    return {"backend": "cortex", "cortex": settings}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("local", "victoria", (ANEW, "Prometheus, 15d", "VictoriaMetrics, 365d", "")),
        ("local", "cortex", (ANEW, "Prometheus, 15d", "Cortex, 365d", "")),
        ("local", S3, (FROM_DISK, "Prometheus, 15d", "Thanos, 1095d", "")),
        ("victoria", S3, (FROM_DISK, "VictoriaMetrics, 365d", "Thanos, 1095d", "")),
        ("victoria", "cortex", (ANEW, "VictoriaMetrics, 365d", "Cortex, 365d", "")),
        ("victoria", NODES, (ANEW, "VictoriaMetrics, 365d", "a cluster of VictoriaMetrics, 365d", "")),
        (S3, "victoria", (ANEW, "Thanos, 1095d", "VictoriaMetrics, 365d", "data-loss")),
        ("victoria", "local", (FROM_DISK, "VictoriaMetrics, 365d", "Prometheus, 15d", "data-loss")),
        ("cortex", "local", (FROM_DISK, "Cortex, 365d", "Prometheus, 15d", "data-loss")),
        (S3, "local", (FROM_DISK, "Thanos, 1095d", "Prometheus, 15d", "data-loss")),
    ],
)
def test_another_place_of_samples(before: Any, after: Any, expected: tuple[str, ...]) -> None:
    (change,) = (each for each in compared(of(before), of(after)) if each.name == "what dashboards see")
    assert (change.what, change.before, change.after, change.danger) == expected
    assert change.section == "data"


def test_only_what_is_on_the_disk_on_both_sides_is_seen_of_before() -> None:
    (change,) = reach_changes(of("local", retention={"time": "2d"}), of("victoria", retention={"time": "30d"}))
    assert "the last 2d are seen" in change.what


@pytest.mark.parametrize("storage", ["local", "victoria", NODES, "cortex", S3, OWN])
def test_the_same_place_is_no_change(storage: Any) -> None:
    assert list(reach_changes(of(storage), of(storage))) == []
    assert list(reach_changes(Snapshot(environment="new"), of(storage))) == []


def test_the_tenant_of_cortex() -> None:
    (change,) = reach_changes(of("cortex"), of(cortex(tenant="shop")))
    what = "begins anew, with another tenant of Cortex"
    assert change == Change("data", "what dashboards see", what, "test", "shop", "data-loss")


def test_blocks_of_cortex_that_go_elsewhere() -> None:
    disk, bucket = of("cortex"), of({"backend": "cortex", "bucket": BUCKET})
    (there,), (back,) = list(reach_changes(disk, bucket)), list(reach_changes(bucket, disk))
    assert (there.name, there.before, there.after, there.danger) == (
        "blocks of Cortex",
        "its volume",
        "a bucket",
        "data-loss",
    )
    assert (back.before, back.after, back.danger) == ("a bucket", "its volume", "data-loss")


def test_lower_limits_of_cortex_may_leave_something_out() -> None:
    less = {"max_series": 2000, "max_samples_per_second": 3000}
    found = list(reach_changes(of("cortex"), of(cortex(**less))))
    assert {(each.name, each.before, each.after, each.danger) for each in found} == {
        ("series that Cortex takes", "150000", "2000", "fewer-targets"),
        ("samples a second that Cortex takes", "50000", "3000", "fewer-targets"),
    }
    assert {each.danger for each in reach_changes(of(cortex(**less)), of("cortex"))} == {""}


def test_whose_a_bucket_is() -> None:
    (taken,) = compared(of(S3), of(OWN))
    assert "made and kept by the stack from now on; one that exists needs `adopt: true`" in taken.what
    (given,) = compared(of(OWN), of(S3))
    assert "no longer the stack's own" in given.what
    (left,) = (each for each in compared(of(S3), of("local")) if each.name == "bucket")
    assert (left.what, left.danger) == ("left; what is in it stays there", "data-loss")
