"""Facts are gathered from whatever answers; what does not is a fact too, and nothing waits for it for long."""

from __future__ import annotations

import json
import time

import pytest

from operations.doctor import gather as gathering
from operations.doctor.command import finding_lines
from operations.doctor.facts import Facts
from operations.doctor.findings import diagnose
from operations.doctor.gather import certificate_end, gather
from operations.doctor.registry import DIAGNOSES
from operations.http import Endpoint
from operations.stored import used_metrics
from tests.operations import fakes
from tests.operations.doctor.healthy import program
from tests.support import planned, stack

CONFIG = stack(environment="dev")
PLAN = planned(CONFIG)


class World:
    """Servers that speak like a healthy stack."""

    def __init__(self) -> None:
        self.prometheus, self.alertmanager = fakes.prometheus(PLAN), fakes.Alertmanager(PLAN)
        runtime = {"startTime": "2020-01-01T00:00:00Z", "reloadConfigSuccess": True, "corruptionCount": 0}
        self.prometheus.set("/api/v1/status/runtimeinfo", fakes.success(runtime))
        self.prometheus.set("/api/v1/status/tsdb", fakes.success({}))
        self.prometheus.set("/api/v1/label/__name__/values", fakes.success(sorted(used_metrics(PLAN))))
        targets = [
            {**fakes.target(each["scrapePool"]), "scrapeTimeout": "10s", "lastScrapeDuration": 0.1}
            for each in self.prometheus.routes["GET", "/api/v1/targets"]({}, None)[1]["data"]["activeTargets"]
        ]
        self.prometheus.set("/api/v1/targets", fakes.success({"activeTargets": targets}))
        self.alertmanager.set("/api/v2/silences", [])
        whole = [{**each, "status": {"state": "active"}} for each in self.alertmanager.watchdog]
        self.alertmanager.routes["GET", "/api/v2/alerts"] = lambda _query, _body: (200, whole)

    def facts(self, endpoints: dict[str, Endpoint]) -> Facts:
        """What is gathered from them."""
        return gather(
            CONFIG, PLAN, "dev", endpoints, {"grafana": "no grafana", "grafana-login": "no grafana"}, DIAGNOSES
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The servers, and an engine on which every container runs."""
    programs = {service.name: program(started=time.time() - 7200) for service in PLAN.services}
    monkeypatch.setattr(gathering, "engine_view", lambda *_: (programs, time.time()))
    return World()


def test_a_healthy_stack(world: World) -> None:
    with fakes.served({"prometheus": world.prometheus, "alertmanager": world.alertmanager}) as endpoints:
        facts = world.facts(endpoints)
    assert facts.missing["grafana"] == facts.missing["grafana-login"] == "no grafana"
    assert not {"prometheus", "alertmanager", "platform"} & set(facts.missing)
    assert {each.name for each in DIAGNOSES if each.query} == set(facts.queries)
    assert facts.checks["prometheus runs the planned rules"].status == "ok"
    assert diagnose(facts, DIAGNOSES) == []


def test_a_dead_prometheus_is_a_fact(world: World) -> None:
    gone = Endpoint("prometheus", "http://127.0.0.1:1")
    with fakes.served({"alertmanager": world.alertmanager}) as endpoints:
        facts = world.facts({**endpoints, "prometheus": gone})
    assert "cannot be reached" in facts.missing["prometheus"]
    assert facts.answers.keys() == {"alerts", "silences"}
    assert [(each.diagnosis, each.where) for each in diagnose(facts, DIAGNOSES)] == [("endpoint-silent", "prometheus")]


def test_a_server_that_stops_answering_meanwhile_is_a_failure(world: World) -> None:
    world.prometheus.set("/api/v1/rules", {"error": "overloaded"}, 503)
    with fakes.served({"prometheus": world.prometheus, "alertmanager": world.alertmanager}) as endpoints:
        facts = world.facts(endpoints)
    assert "503" in facts.failures["prometheus"].detail
    assert facts.missing["prometheus"] == facts.failures["prometheus"].detail
    assert "endpoint-silent" in [each.diagnosis for each in diagnose(facts, DIAGNOSES)]


def hang_up(_query: dict[str, str], _body: object) -> fakes.Answer:
    """No answer."""
    raise ConnectionAbortedError


@pytest.mark.parametrize("answer", [hang_up, lambda _query, _body: (503, "busy")])
@pytest.mark.parametrize(
    ("name", "path"), [("prometheus", "/api/v1/status/config"), ("alertmanager", "/api/v2/status")]
)
def test_a_check_without_an_answer_tells_of_the_server_alone(
    world: World, name: str, path: str, answer: fakes.Route
) -> None:
    """What runs may well be what is planned."""
    getattr(world, name).routes["GET", path] = answer
    with fakes.served({"prometheus": world.prometheus, "alertmanager": world.alertmanager}) as endpoints:
        facts = world.facts(endpoints)
    assert [(each.diagnosis, each.where) for each in diagnose(facts, DIAGNOSES)] == [("endpoint-silent", name)]


def test_another_program_on_the_port_is_told(world: World) -> None:
    world.alertmanager.set("/api/v2/silences", {"hello": "world"})
    world.alertmanager.routes["GET", "/api/v2/alerts"] = lambda _query, _body: (200, "<html>")
    with fakes.served({"prometheus": world.prometheus, "alertmanager": world.alertmanager}) as endpoints:
        facts = world.facts(endpoints)
    assert "no JSON" in facts.failures["alertmanager"].detail


def test_ranges_cover_a_few_scrapes(world: World) -> None:
    asked: list[str] = []

    def query(parameters: dict[str, str], _body: object) -> fakes.Answer:
        asked.append(parameters["query"])
        return 200, fakes.vector()

    world.prometheus.routes["GET", "/api/v1/query"] = query
    with fakes.served({"prometheus": world.prometheus}) as endpoints:
        world.facts(endpoints)
    assert any("[120s]" in each for each in asked)
    assert not any("$window" in each for each in asked)


def test_a_port_without_tls_shows_no_certificate(world: World) -> None:
    with fakes.served({"prometheus": world.prometheus}) as endpoints:
        assert certificate_end(endpoints["prometheus"].url.replace("http:", "https:")) == 0.0
    assert certificate_end("https://127.0.0.1:1") == 0.0


def test_a_finding_for_people(world: World) -> None:
    gone = Endpoint("prometheus", "http://127.0.0.1:1")
    (found,) = [
        each for each in diagnose(world.facts({"prometheus": gone}), DIAGNOSES) if each.diagnosis == "endpoint-silent"
    ]
    lines = finding_lines(found)
    assert lines[0] == "CRITICAL  endpoint-silent: prometheus"
    assert lines[1].startswith("          saw:    prometheus cannot be reached")
    assert any(line.startswith("          do:     ") for line in lines)
    assert json.dumps(lines)
