"""What `verify` proves of a stack whose samples are in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from components.spec import Plan
from operations.checks import thanos as checks_thanos
from operations.running import CheckFailed, FailedForGood, Running
from operations.verify import Secrets, connect, planned_checks
from tests.operations import fakes
from tests.support import FEDERATED, planned, stack

STORAGE = {"backend": "s3", "bucket": {"name": "metrics", "region": "eu-central-1"}}
CONFIG = stack(storage=STORAGE, high_availability={"prometheus": 2, "one_host": True}, grafana={"enabled": False})
PLAN = planned(CONFIG)
Thanos = tuple[fakes.Fake, fakes.Fake, Running]


def stores(**errors: str) -> dict[str, Any]:
    """What the querier tells of its stores."""

    def one(name: str) -> dict[str, Any]:
        return {"name": f"{name}:10901", "lastError": errors.get(name.replace("-", "_"))}

    return {
        "status": "success",
        "data": {"sidecar": [one("thanos-sidecar"), one("thanos-sidecar-2")], "store": [one("thanos-store")]},
    }


@pytest.fixture
def thanos() -> Iterator[Thanos]:
    """A healthy one, and the Prometheus that scrapes it."""
    query, prometheus = fakes.Fake(), fakes.Fake()
    query.set("/-/healthy", "OK")
    query.set("/api/v1/stores", stores())
    query.set("/api/v1/query", fakes.vector(({}, "12")))
    told: dict[str, list[tuple[dict[str, str], str]]] = {"increase": [({}, "10"), ({}, "9")], "max": [({}, "0")]}
    prometheus.routes["GET", "/api/v1/query"] = lambda asked, _: (
        200,
        fakes.vector(*told[asked["query"].partition("(")[0]]),
    )
    with fakes.served({"thanos": query, "prometheus": prometheus}) as endpoints:
        yield query, prometheus, Running(CONFIG, PLAN, endpoints, patience=0.2)


def test_it_is_asked_only_where_there_is_a_bucket() -> None:
    names = {check.name for check in checks_thanos.CHECKS}
    assert names <= {check.name for check in planned_checks(PLAN, CONFIG)}
    local = stack()
    assert not names & {check.name for check in planned_checks(planned(local), local)}


@pytest.mark.parametrize("frontend", [True, False])
def test_it_asks_what_people_ask(frontend: bool) -> None:
    config = stack(storage={**STORAGE, "query_frontend": frontend}, grafana={"enabled": False})
    plan: Plan = planned(config)
    endpoints, _ = connect(config, plan, Secrets("test"))
    assert endpoints["thanos"].service == ("thanos-query-frontend" if frontend else "thanos-query")
    assert endpoints["thanos"].url == "http://127.0.0.1:10902"
    for endpoint in endpoints.values():
        endpoint.close()


def test_a_healthy_one_passes_each_check(thanos: Thanos) -> None:
    running = thanos[2]
    assert checks_thanos.ready(running).startswith("http://127.0.0.1:")
    assert checks_thanos.reaches_every_store(running) == "thanos-sidecar, thanos-sidecar-2, thanos-store"
    assert checks_thanos.answers_completely(running) == "12 targets"
    assert checks_thanos.samples_are_uploaded(running) == "2 sidecars"
    assert checks_thanos.compactor_works(running) == "not halted"


def test_a_store_with_an_error_is_named_with_it(thanos: Thanos) -> None:
    thanos[0].set("/api/v1/stores", stores(thanos_store="access denied"))
    with pytest.raises(CheckFailed, match="thanos-store: access denied"):
        checks_thanos.reaches_every_store(thanos[2])


def test_a_store_that_the_querier_does_not_know_is_named(thanos: Thanos) -> None:
    found = stores()
    found["data"]["sidecar"].pop()
    thanos[0].set("/api/v1/stores", found)
    with pytest.raises(CheckFailed, match="the querier does not know thanos-sidecar-2"):
        checks_thanos.reaches_every_store(thanos[2])


def test_an_answer_that_lacks_something_is_not_taken_for_whole(thanos: Thanos) -> None:
    thanos[0].set("/api/v1/query", {**fakes.vector(({}, "12")), "warnings": ["store thanos-store:10901: unavailable"]})
    with pytest.raises(CheckFailed, match="not all stores answer: store thanos-store:10901: unavailable"):
        checks_thanos.answers_completely(thanos[2])
    thanos[0].set("/api/v1/query", fakes.vector())
    with pytest.raises(CheckFailed, match="no store has a sample"):
        checks_thanos.answers_completely(thanos[2])


def test_a_sidecar_that_uploads_nothing_fails(thanos: Thanos) -> None:
    thanos[1].set("/api/v1/query", fakes.vector(({}, "10")))
    with pytest.raises(CheckFailed, match="1 of 2 sidecars upload nothing"):
        checks_thanos.samples_are_uploaded(thanos[2])


def test_a_halted_compactor_fails_for_good(thanos: Thanos) -> None:
    thanos[1].set("/api/v1/query", fakes.vector(({}, "1")))
    with pytest.raises(FailedForGood, match="it has halted"):
        checks_thanos.compactor_works(thanos[2])
    thanos[1].set("/api/v1/query", fakes.vector())
    with pytest.raises(CheckFailed, match="no sample of the compactor yet"):
        checks_thanos.compactor_works(thanos[2])


def test_a_ruler_has_to_have_evaluated_everything() -> None:
    services = FEDERATED["services"]
    config = stack(storage={**STORAGE, "ruler": ["slo"]}, services=services, grafana={"enabled": False})
    assert "the ruler evaluates its rules" in [check.name for check in planned_checks(planned(config), config)]
    query = fakes.Fake()

    def rule(name: str, health: str) -> dict[str, Any]:
        return {"name": name, "health": health, "lastError": "no answer"}

    def answer(*healths: str) -> None:
        groups = [
            {"name": name, "partialResponseStrategy": "WARN", "rules": [rule(f"{name}-{n}", health)]}
            for n, (name, health) in enumerate(
                zip(("objectives", "objectives-period", "slo"), healths, strict=False), start=1
            )
        ]
        # Prometheus' own, which the querier tells of as well.
        groups.append({"name": "prometheus", "partialResponseStrategy": "ABORT", "rules": [rule("other", "err")]})
        query.set("/api/v1/rules", {"status": "success", "data": {"groups": groups}})

    with fakes.served({"thanos": query}) as endpoints:
        running = Running(config, planned(config), endpoints, patience=0.2)
        answer("ok", "ok", "ok")
        assert checks_thanos.rules_are_evaluated(running) == "3 rules"
        answer("ok", "ok")
        with pytest.raises(CheckFailed, match="no ruler has slo"):
            checks_thanos.rules_are_evaluated(running)
        answer("ok", "err", "ok")
        with pytest.raises(CheckFailed, match="objectives-period-2: no answer"):
            checks_thanos.rules_are_evaluated(running)
        answer("ok", "ok", "unknown")
        with pytest.raises(CheckFailed, match="not evaluated yet: slo-3"):
            checks_thanos.rules_are_evaluated(running)
