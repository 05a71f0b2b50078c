"""What VictoriaMetrics and Cortex need for a load: worked by hand, and judged against the stack file."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.base import seconds
from components.notes import stack_notes
from components.sizing import GIB, MIB, Asked, Load, asked, disk
from components.sizing_bucket import MONTH, asked_bucket, bucket_growth
from components.sizing_remote import asked_remote, kept_elsewhere, remote_needs
from components.spec import Resources
from operations.report.compare import compared
from operations.report.snapshot import of_plan
from operations.size import Question, lines, sized
from tests.support import changed, planned, stack

MILLION = Load(series=1_000_000, rate=100_000, retention=15 * 86400, queries=1)
BUCKET = {"name": "acme-metrics", "region": "eu-central-1"}
YEAR = seconds("1y")
ONE_HOST: dict[str, Any] = {"high_availability": {"one_host": True}}
CLUSTER: dict[str, Any] = {"platform": "kubernetes", "kubernetes": {"context": "production"}}


def test_victoria_metrics() -> None:
    need = remote_needs(stack(storage="victoria"), MILLION)
    assert need["memory"] == pytest.approx((32 * MIB + 500_000_000, 2 * (32 * MIB + 1_000_000_000)))
    assert need["cpus"] == pytest.approx((1.1, 2.2))
    # 0.4 and 1 byte a sample, a fifth of index; and to plan with a month more, and a fifth of the disk free.
    assert need["disk"] == pytest.approx((100_000 * 0.48 * YEAR, 100_000 * 1.2 * (YEAR + MONTH) / 0.8))
    short = remote_needs(stack(storage={"backend": "victoria", "victoria": {"retention": "7d"}}), MILLION)
    assert short["disk"][1] == pytest.approx(100_000 * 1.2 * 8 * 86400 / 0.8)


def test_replicas_all_send_and_their_samples_are_kept_once() -> None:
    one, two = (remote_needs(stack(storage="victoria"), MILLION, replicas) for replicas in (1, 2))
    assert two["cpus"][0] == pytest.approx(one["cpus"][0] + 1)
    assert (two["disk"], two["memory"]) == (one["disk"], one["memory"])


def test_a_cluster_needs_more_for_its_copies_and_each_vmstorage_its_part() -> None:
    storage = {"backend": "victoria", "victoria": {"cluster": {"vmstorage": 4}}}
    one, all_nodes = (remote_needs(stack(storage=each, **ONE_HOST), MILLION) for each in ("victoria", storage))
    assert all_nodes["disk"] == tuple(2 * each for each in one["disk"])
    assert all_nodes["memory"][0] == 4 * 32 * MIB + 2 * (one["memory"][0] - 32 * MIB)
    found = rows(storage, **ONE_HOST, **CLUSTER)
    assert {"resources.vmstorage.memory", "resources.vmstorage.cpus", "kubernetes.volumes.vmstorage"} == found.keys()
    assert found["kubernetes.volumes.vmstorage"].plan == all_nodes["disk"][1] / 4
    assert found["resources.vmstorage.memory"].floor == all_nodes["memory"][0] / 4


def test_cortex() -> None:
    need = remote_needs(stack(storage="cortex"), MILLION)
    assert need["memory"] == pytest.approx((64 * MIB + 3072 * 1_000_000, 64 * MIB + 10_000 * 1_000_000))
    assert need["cpus"] == pytest.approx((1.1, 5.1))
    own = disk(Load(MILLION.series, MILLION.rate, YEAR))
    assert need["disk"] == (own.floor, own.plan)
    assert "bucket" not in need


def test_cortex_with_a_bucket_keeps_days_on_its_disk_and_all_in_the_bucket() -> None:
    need = remote_needs(stack(storage={"backend": "cortex", "bucket": BUCKET}), MILLION)
    assert need["bucket"] == pytest.approx((100_000 * 1.3 * YEAR, 100_000 * 2 * YEAR))
    assert need["disk"][1] < remote_needs(stack(storage="cortex"), MILLION)["disk"][1] / 50


@pytest.mark.parametrize("storage", ["local", {"backend": "s3", "bucket": BUCKET}])
def test_elsewhere_is_nothing(storage: Any) -> None:
    config = stack(storage=storage)
    assert (remote_needs(config, MILLION), kept_elsewhere(config)) == ({}, 0)
    assert list(asked_remote(config, MILLION, {"victoria-metrics": Resources(1, 1)})) == []


def rows(storage: Any, load: Load = MILLION, **changes: Any) -> dict[str, Asked]:
    config = stack(**changed({"storage": storage}, **changes))
    limits = {service.name: service.resources for service in planned(config).services}
    return {row.key: row for row in asked_remote(config, load, limits)}


def test_what_the_stack_file_asks_for_is_judged() -> None:
    found = rows("victoria", **CLUSTER)
    assert {key: (row.verdict, row.advice, row.default) for key, row in found.items()} == {
        "resources.victoria-metrics.memory": ("tight", "2GB", True),
        "resources.victoria-metrics.cpus": ("too little", "2.2", True),
        "kubernetes.volumes.victoria_metrics": ("too little", "5TB", True),
    }
    own = rows("victoria", resources={"victoria-metrics": {"memory": "4GB", "cpus": 4}})
    assert [(row.verdict, row.default) for row in own.values()] == [("enough", False), ("enough", False)]


def test_the_limits_of_cortex_are_judged() -> None:
    found = rows("cortex")
    told = {key: (row.verdict, row.advice) for key, row in found.items() if key.startswith("storage")}
    assert told == {
        "storage.cortex.max_series": ("too little", "1250000"),
        "storage.cortex.max_samples_per_second": ("too little", "150000"),
    }
    # What no stack file may say is no advice.
    most = rows("cortex", Load(9_000_000, 2_000_000, 86400))["storage.cortex.max_series"]
    assert most.advice == "5000000"
    assert "so much is for a bucket or VictoriaMetrics" in most.remark
    small = rows("cortex", Load(1000, 100, 86400))
    assert {row.verdict for row in small.values()} == {"enough"}


def test_the_disk_of_the_compactor_is_judged_in_a_cluster() -> None:
    storage = {"backend": "s3", "bucket": BUCKET}
    config = stack(**changed({"storage": storage}, **CLUSTER))
    (row,) = asked_bucket(config, bucket_growth(MILLION, config.storage))
    assert (row.key, row.verdict, row.default) == ("kubernetes.volumes.thanos_compact", "too little", True)
    docker = stack(storage=storage)
    assert list(asked_bucket(docker, bucket_growth(MILLION, docker.storage))) == []
    assert [row.key for row in asked(docker, MILLION, GIB, 1)] == [
        "resources.prometheus.memory",
        "resources.prometheus.cpus",
    ]


@pytest.mark.parametrize(("backend", "title"), [("victoria", "VICTORIAMETRICS"), ("cortex", "CORTEX")])
def test_size_shows_it(backend: str, title: str) -> None:
    config = stack(storage=backend)
    answer = sized(config, planned(config), Question())
    text = "\n".join(lines(answer))
    assert f"{title} NEEDS" in text
    assert "It keeps samples for 365d." in text
    assert {row["verdict"] for row in answer["asked"]} == {"enough"}
    assert f"one Prometheus with remote storage, `storage: {backend}`" in text
    local = stack()
    assert sized(local, planned(local), Question())["remote"] is None


def test_notes_say_what_is_too_little_and_what_is_kept_for_less() -> None:
    storage = {"backend": "cortex", "cortex": {"max_series": 1000, "retention": "7d"}}
    config = stack(storage=storage, resources={"cortex": {"memory": "64MB"}})
    notes = stack_notes(config, planned(config).services)
    assert [note for note in notes if note.startswith("resources.cortex.memory is too little for about ")]
    (limit,) = (note for note in notes if note.startswith("storage.cortex.max_series"))
    assert "(Cortex refuses the series above it): write 7000;" in limit
    (kept,) = (note for note in notes if note.startswith("storage.cortex.retention"))
    assert kept == (
        "storage.cortex.retention: 7d is less than the 15d on Prometheus' own disk; dashboards ask for the former alone"
    )
    assert not [note for note in planned(stack(storage="cortex")).notes if "cortex" in note]


def test_a_report_says_what_the_database_needs() -> None:
    before, after = (of_plan(config, planned(config)) for config in (stack(), stack(storage="victoria")))
    told = {change.name: change.what for change in compared(before, after) if change.section == "size"}
    assert told["disk that VictoriaMetrics needs"] == "new"
    assert told["memory that VictoriaMetrics needs"] == "new"
    assert {change.name: change.what for change in compared(after, before)}["disk that VictoriaMetrics needs"] == "gone"
