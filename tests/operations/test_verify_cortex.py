"""What `verify` proves of a stack whose samples are in Cortex."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from operations.checks import cortex as checks
from operations.http import Endpoint
from operations.running import CheckFailed, Running
from operations.verify import Secrets, connect, planned_checks
from tests.operations import fakes
from tests.support import planned, stack

CONFIG = stack(storage={"backend": "cortex", "cortex": {"tenant": "shop"}}, grafana={"enabled": False})
PLAN = planned(CONFIG)
Both = tuple[fakes.Fake, fakes.Fake, Running]


@pytest.fixture
def both() -> Iterator[Both]:
    """Cortex and Prometheus."""
    cortex, prometheus = fakes.Fake(), fakes.Fake()
    cortex.set("/ready", "ready")
    with fakes.served({"cortex": cortex, "prometheus": prometheus}) as endpoints:
        yield cortex, prometheus, Running(CONFIG, PLAN, endpoints, patience=0.2)


def test_it_is_asked_only_where_it_is_planned() -> None:
    names = {check.name for check in checks.CHECKS}
    assert names <= {check.name for check in planned_checks(PLAN, CONFIG)}
    local = stack()
    assert not names & {check.name for check in planned_checks(planned(local), local)}


def test_each_question_says_whose_samples_are_meant() -> None:
    endpoints, _ = connect(CONFIG, PLAN, Secrets("test"))
    try:
        headers = {name: endpoint.headers.get("X-Scope-OrgID") for name, endpoint in endpoints.items()}
        assert headers.pop("cortex") == "shop"
        assert {*headers.values()} == {None}
        assert endpoints["cortex"].url == "http://127.0.0.1:9009"
    finally:
        for endpoint in endpoints.values():
            endpoint.close()


def test_headers_are_sent() -> None:
    fake = fakes.Fake()
    with fakes.served({"cortex": fake}) as served:
        endpoint = Endpoint("cortex", served["cortex"].url, headers={"X-Scope-OrgID": "shop"})
        fake.set("/x", {})
        endpoint.get("/x")
        endpoint.close()
    assert {name.lower(): value for name, value in fake.headers.items()}["x-scope-orgid"] == "shop"


def test_fresh_samples_pass_and_old_ones_fail(both: Both) -> None:
    cortex, _, running = both
    assert checks.ready(running).startswith("http://127.0.0.1:")
    cortex.set("/prometheus/api/v1/query", fakes.vector(({}, str(time.time() - 5)), ({"job": "x"}, "0")))
    assert checks.has_fresh_samples(running).startswith("2 targets, the newest sample is ")
    cortex.set("/prometheus/api/v1/query", fakes.vector(({}, str(time.time() - 95))))
    with pytest.raises(CheckFailed, match=r"its newest sample is \d+ s old"):
        checks.has_fresh_samples(running)
    cortex.set("/prometheus/api/v1/query", fakes.vector())
    with pytest.raises(CheckFailed, match="it has no sample of this stack"):
        checks.has_fresh_samples(running)


def test_refused_samples_are_told_by_reason(both: Both) -> None:
    _, prometheus, running = both
    prometheus.set("/api/v1/query", fakes.vector())
    assert checks.refuses_nothing(running) == "in the last 5 minutes"
    prometheus.set("/api/v1/query", fakes.vector(({"reason": "ingester"}, "41.7"), ({"reason": "too_long"}, "3")))
    with pytest.raises(CheckFailed, match="42 samples: ingester, 3 samples: too_long"):
        checks.refuses_nothing(running)
