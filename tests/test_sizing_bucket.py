"""How a bucket grows: worked by hand, in bounds, until the last retention ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.storage import Storage
from components.sizing import DAY, Load
from components.sizing_bucket import bucket_growth

LOAD = Load(series=150_000, rate=10_000, retention=2 * DAY)
"""Every fifteen seconds."""


def storage(backend: str = "thanos", **retention: str) -> Storage:
    bucket: dict[str, Any] = {"name": "acme-metrics", "region": "eu-central-1"}
    return Storage.model_validate({"backend": backend, "bucket": bucket, "retention": retention})


def test_worked_by_hand() -> None:
    growth = bucket_growth(LOAD, storage())
    assert growth.upload == (13_000.0, 20_000.0)
    # Five aggregates of each series every 300 s and every 3,600 s, of 1.3 to 4 bytes.
    five, hour = (2500 * 1.3, 2500 * 4), (150_000 * 5 / 3600 * 1.3, 150_000 * 5 / 3600 * 4)
    assert growth.month == pytest.approx(
        ((13_000 + five[0] + hour[0]) * 30 * DAY, (20_000 + five[1] + hour[1]) * 30 * DAY)
    )
    raw, middle, last = growth.ends
    assert [(end.name, end.age / DAY) for end in growth.ends] == [
        ("raw", 90),
        ("five_minutes", 365),
        ("one_hour", 3 * 365),
    ]
    assert raw.size["raw"] == (13_000.0 * 90 * DAY, 20_000.0 * 90 * DAY)
    assert raw.size["one_hour"] == pytest.approx((hour[0] * 90 * DAY, hour[1] * 90 * DAY))
    assert middle.size["raw"] == raw.size["raw"]
    assert middle.size["five_minutes"] == pytest.approx((five[0] * 365 * DAY, five[1] * 365 * DAY))
    assert last.size["five_minutes"] == middle.size["five_minutes"]
    assert last.total == pytest.approx(tuple(sum(each[bound] for each in last.size.values()) for bound in (0, 1)))
    assert growth.noncurrent == (3 * 13_000.0 * 30 * DAY, 3 * 20_000.0 * 30 * DAY)
    assert growth.compactor_disk == (2 * 13_000.0 * 14 * DAY, 2 * 20_000.0 * 14 * DAY)
    assert not growth.forever


def test_five_minutes_are_never_larger_than_what_they_are_made_of() -> None:
    seldom = Load(series=1000, rate=1000 / 150, retention=2 * DAY)
    (first, *_) = bucket_growth(seldom, storage()).ends
    assert first.size["five_minutes"] == first.size["raw"]


def test_a_bucket_of_the_users_keeps_versions_by_their_own_rules() -> None:
    assert bucket_growth(LOAD, storage("s3")).noncurrent == (0.0, 0.0)


def test_replicas_upload_all_of_it_each() -> None:
    one, two = bucket_growth(LOAD, storage()), bucket_growth(LOAD, storage(), replicas=2)
    assert two.upload == (2 * one.upload[0], 2 * one.upload[1])
    assert two.ends[-1].total == pytest.approx((2 * one.ends[-1].total[0], 2 * one.ends[-1].total[1]))
    assert two.compactor_disk == one.compactor_disk


def test_what_is_kept_for_ever_has_no_end() -> None:
    growth = bucket_growth(LOAD, storage(raw="30d", five_minutes="forever", one_hour="forever"))
    assert growth.forever
    assert [end.name for end in growth.ends] == ["raw"]
    assert growth.ends[0].size["one_hour"][0] == pytest.approx(150_000 * 5 / 3600 * 1.3 * 30 * DAY)


@given(st.integers(1, 10**7), st.floats(1, 150), st.integers(3, 400), st.integers(0, 400))
def test_longer_retention_never_takes_less(series: int, interval: float, raw: int, more: int) -> None:
    load = Load(series, series / interval, 2 * DAY)
    ends = {"five_minutes": f"{raw + 800}d", "one_hour": f"{raw + 900}d"}
    shorter = bucket_growth(load, storage(raw=f"{raw}d", **ends)).ends[-1]
    longer = bucket_growth(load, storage(raw=f"{raw + more}d", **ends)).ends[-1]
    assert longer.total >= shorter.total
    for end in (shorter, longer):
        assert all(low <= high for low, high in end.size.values())
