"""What Prometheus needs: worked by hand, growing with every part of the load, and judged against the stack file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import parse_stack
from components.config.base import size_bytes
from components.series import Source
from components.sizing import (
    GIB,
    MIB,
    STAGES,
    Asked,
    Load,
    asked,
    cores,
    cpus,
    disk,
    iops,
    lasting,
    load_of,
    memory,
    needs,
    network,
    size_text,
    stage,
)
from tests.support import CLUSTER, COPIED_AWAY, THANOS, changed, stack

MILLION = Load(series=1_000_000, rate=100_000, retention=15 * 86400, queries=10)
"""A million series every ten seconds, kept for 360 hours."""


def test_memory() -> None:
    need = memory(MILLION)
    # 1,000,000 x 2 KB + 100,000 x 2 x 360 + 2 GB
    assert need.rule_of_thumb == 2_000_000_000 + 72_000_000 + 2 * GIB
    assert need.floor == 48 * MIB + 3_072_000_000
    assert need.plan == 48 * MIB + 10 * MIB + 8_192_000_000


def test_cores() -> None:
    need = cpus(MILLION)
    assert need.rule_of_thumb == 1 + 1 + 1
    assert need.floor == 2
    assert need.plan == pytest.approx(2 + (58 * MIB + 8_192_000_000) / (4 * GIB))


def test_operations() -> None:
    assert iops(MILLION).rule_of_thumb == 100 + 1000 + 100
    assert iops(MILLION).plan is None


def test_disk() -> None:
    need = disk(MILLION)
    samples = 100_000 * 15 * 86400
    log = 100_000 * 7 * 3 * 3600
    assert need.rule_of_thumb == 2 * samples
    assert need.floor == pytest.approx(1.3 * samples + log)
    assert need.plan == pytest.approx((2 * samples + log) / 0.8)


def test_network() -> None:
    assert network(MILLION) == {"scraping": 1_600_000}


def test_a_load_is_the_sum_of_its_sources() -> None:
    found = [Source("a", 1, 300, 15, "declared"), Source("b", 2, 60, 60, "measured")]
    assert load_of(found, 3600, 2) == Load(360, 21, 3600, 2)


@given(
    st.integers(0, 10**8),
    st.floats(0, 10**7),
    st.floats(7200, 10**8),
    st.floats(0, 1000),
    st.integers(0, 10**6),
    st.floats(0, 10**5),
)
def test_more_load_never_needs_less(
    series: int, rate: float, retention: float, queries: float, more: int, further: float
) -> None:
    base = needs(Load(series, rate, retention, queries))
    for larger in (
        Load(series + more, rate, retention, queries),
        Load(series, rate + further, retention, queries),
        Load(series, rate, retention + further, queries),
        Load(series, rate, retention, queries + further),
    ):
        for low, high in zip(base, needs(larger), strict=True):
            assert high.rule_of_thumb >= low.rule_of_thumb
            assert (high.floor or 0) >= (low.floor or 0)
            assert (high.plan or 0) >= (low.plan or 0)
    assert all(need.floor is None or need.plan is None or need.floor <= need.plan for need in base)


@pytest.mark.parametrize(("days", "age"), [(15, 15 * 86400), (3.5, 3 * 86400), (2.52, 60 * 3600), (0.01, 3600)])
def test_how_long_a_size_lasts(days: float, age: float) -> None:
    log = 100_000 * 7 * 3 * 3600
    assert lasting(MILLION, 1.3 * 100_000 * days * 86400 + log + 1) == age


@pytest.mark.parametrize(
    ("value", "verdict"), [(99, "too little"), (100, "tight"), (199, "tight"), (200, "enough"), (500, "enough")]
)
def test_verdicts(value: float, verdict: str) -> None:
    assert Asked("retention.size", value, floor=100, plan=200).verdict == verdict


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "64MB"),
        (64 * MIB, "64MB"),
        (65 * MIB, "128MB"),
        (960 * MIB, "960MB"),
        (970 * MIB, "1GB"),
        (GIB, "1GB"),
        (GIB + 1, "2GB"),
        (4095.5 * GIB, "4096GB"),
        (4097 * GIB, "5TB"),
    ],
)
def test_sizes_to_write(size: float, text: str) -> None:
    assert size_text(size) == text
    assert size_bytes(text) >= size


@pytest.mark.parametrize(
    ("value", "written"), [(0, 0.1), (0.04, 0.1), (0.14, 0.1), (0.16, 0.2), (1.05, 1.0), (2.06, 2.1)]
)
def test_cores_to_write(value: float, written: float) -> None:
    assert cores(value) == written


def judged(load: Load, memory_limit: float = GIB, cpu_limit: float = 1, **changes: object) -> dict[str, Asked]:
    return {row.key: row for row in asked(stack(**changes), load, memory_limit, cpu_limit)}


def test_what_the_stack_file_asks_for_is_judged() -> None:
    rows = judged(MILLION, resources__prometheus={"memory": "1GB"}, retention__size="50GB")
    assert {key: (row.verdict, row.advice, row.default) for key, row in rows.items()} == {
        "resources.prometheus.memory": ("too little", "8GB", False),
        "resources.prometheus.cpus": ("too little", "3.9", True),
        "retention.size": ("too little", "249GB", False),
    }


def test_a_volume_has_to_hold_no_more_than_the_size_that_is_kept() -> None:
    base = changed(CLUSTER, retention={"time": "15d"})
    small = parse_stack(changed(base, kubernetes__volumes={"prometheus": "30GB"}), "stack")
    limited = parse_stack(changed(base, kubernetes__volumes={"prometheus": "30GB"}, retention__size="20GB"), "stack")
    (row,) = (row for row in asked(small, MILLION, GIB, 1) if row.key == "kubernetes.volumes.prometheus")
    assert (row.verdict, row.advice) == ("too little", "311GB")
    (row,) = (row for row in asked(limited, MILLION, GIB, 1) if row.key == "kubernetes.volumes.prometheus")
    assert (row.verdict, row.plan) == ("enough", 25 * GIB)
    default = parse_stack(changed(base, kubernetes__volumes={}), "stack")
    (row,) = (row for row in asked(default, MILLION, GIB, 1) if row.key == "kubernetes.volumes.prometheus")
    assert (row.default, row.value) == (True, 50 * GIB)


def test_a_volume_has_room_for_a_copy_beside_what_it_replaces() -> None:
    """As much again; of what Thanos has in the bucket no copy has anything, so the last three hours."""

    def plan(**changes: object) -> float:
        config = parse_stack(changed(CLUSTER, retention={"time": "15d"}, **changes), "stack")
        (row,) = (row for row in asked(config, MILLION, GIB, 1) if row.key == "kubernetes.volumes.prometheus")
        return row.plan

    assert plan(backup=COPIED_AWAY) == 2 * plan()
    assert plan(backup={**COPIED_AWAY, "include": ["grafana"]}) == plan()
    more = plan(backup=COPIED_AWAY, storage=THANOS) - plan(storage=THANOS)
    assert more == pytest.approx(MILLION.rate * 9 * 3 * 3600)


@pytest.mark.parametrize(("series", "place"), [(0, 0), (999_999, 0), (10**6, 1), (10**7, 2), (10**8, 3), (10**12, 3)])
def test_stages(series: int, place: int) -> None:
    assert stage(series) == place
    assert series < STAGES[place][0]
