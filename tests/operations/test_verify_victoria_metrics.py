"""What `verify` proves of a stack whose samples are in VictoriaMetrics."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from operations.checks import victoria_metrics as checks
from operations.running import CheckFailed, Running
from operations.verify import Secrets, connect, planned_checks
from tests.operations import fakes
from tests.support import planned, stack

CONFIG = stack(storage={"backend": "victoria"}, grafana={"enabled": False})
PLAN = planned(CONFIG)
Victoria = tuple[fakes.Fake, Running]


@pytest.fixture
def victoria() -> Iterator[Victoria]:
    """A healthy one."""
    fake = fakes.Fake()
    fake.set("/api/v1/status/buildinfo", {"status": "success", "data": {"version": "2.24.0"}})
    with fakes.served({"victoria-metrics": fake}) as endpoints:
        yield fake, Running(CONFIG, PLAN, endpoints, patience=0.2)


def newest(*ages: float) -> object:
    """The answer to a query for the times of samples of these ages in seconds."""
    return fakes.vector(*(({"job": str(n)}, str(time.time() - age)) for n, age in enumerate(ages)))


def test_it_is_asked_only_where_it_is_planned_and_where_it_is_published() -> None:
    names = {check.name for check in checks.CHECKS}
    assert names <= {check.name for check in planned_checks(PLAN, CONFIG)}
    local = stack()
    assert not names & {check.name for check in planned_checks(planned(local), local)}
    endpoints, _ = connect(CONFIG, PLAN, Secrets("test"))
    assert endpoints["victoria-metrics"].url == "http://127.0.0.1:8428"
    for endpoint in endpoints.values():
        endpoint.close()


def test_fresh_samples_pass(victoria: Victoria) -> None:
    fake, running = victoria
    asked: list[str] = []

    def answer(query: dict[str, str], _: object) -> tuple[int, object]:
        asked.append(query["query"])
        return 200, newest(31, 500)

    fake.routes["GET", "/api/v1/query"] = answer
    assert checks.ready(running).startswith("http://127.0.0.1:")
    told = re.fullmatch(r"2 targets, the newest sample is (\d+) s old", checks.has_fresh_samples(running))
    assert told
    assert 31 <= int(told[1]) < 500, "the newest, not the oldest"
    assert asked == [f'timestamp(up{{environment="{CONFIG.environment}"}})'], "of this stack, not of another one"


def test_old_samples_and_none_at_all_fail(victoria: Victoria) -> None:
    fake, running = victoria
    fake.set("/api/v1/query", newest(95))
    with pytest.raises(CheckFailed, match=r"its newest sample is \d+ s old"):
        checks.has_fresh_samples(running)
    fake.set("/api/v1/query", fakes.vector())
    with pytest.raises(CheckFailed, match="it has no sample of this stack"):
        checks.has_fresh_samples(running)
