"""Every check of `verify` holds on a healthy stack, and each fails with its remedy when its one thing is broken."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from components.config import StackConfig
from components.spec import Plan, Port
from operations.checks import alertmanager, grafana
from operations.checks.alertmanager import counter
from operations.errors import CommandError
from operations.http import Credentials, Endpoint, endpoint_url
from operations.results import Result, Status, as_junit, passed
from operations.running import Check, CheckFailed, Interrupted, NotChecked, Running, run_check, run_checks
from operations.verify import GRAFANA_PASSWORD, Secrets, connect, planned_checks, verify
from tests.operations import fakes
from tests.support import ACCESS, planned, stack

CONFIGURED = stack(environment="dev")
PLANNED = planned(CONFIGURED)


class World:
    """A healthy stack that tests break."""

    def __init__(self) -> None:
        self.config: StackConfig = CONFIGURED
        self.plan: Plan = PLANNED
        self.prometheus = fakes.prometheus(self.plan)
        self.alertmanager = fakes.Alertmanager(self.plan)
        self.jaeger, self.otlp = fakes.jaeger_and_otlp()
        self.grafana = fakes.grafana(self.plan)
        self.endpoints: dict[str, Endpoint] = {}

    def servers(self) -> dict[str, fakes.Fake]:
        """The fakes by endpoint."""
        return {
            "prometheus": self.prometheus,
            "alertmanager": self.alertmanager,
            "jaeger": self.jaeger,
            "otlp": self.otlp,
            "grafana": self.grafana,
            "grafana-login": self.grafana,
        }

    def verify(self, patience: float = 0.3, unreachable: Mapping[str, str] | None = None) -> dict[str, Result]:
        """The results by name."""
        endpoints = {name: each for name, each in self.endpoints.items() if name not in (unreachable or {})}
        results = verify(self.config, self.plan, endpoints, unreachable or {}, patience)
        return {result.name: result for result in results}

    def check(self, name: str, patience: float = 0.2) -> Result:
        """The result of one check alone."""
        (check,) = (check for check in planned_checks(self.plan, self.config) if check.name == name)
        return run_check(check, Running(self.config, self.plan, self.endpoints, patience))


@pytest.fixture
def world() -> Iterator[World]:
    """A healthy stack on loopback."""
    made = World()
    with fakes.served(made.servers()) as made.endpoints:
        yield made


@pytest.mark.parametrize("receiver", ["team-chat", "verification"])
def test_a_receiver_that_is_no_channel_of_the_stack_does_not_count(world: World, receiver: str) -> None:
    """It had one, or it is that of the test alert, whose own check tells of it."""
    _query(world, receiver_name=receiver, integration="webhook")
    assert world.check(NOTIFICATIONS).status is Status.OK


def test_what_failed_while_alertmanager_started_passes(world: World) -> None:
    healthy, failing = world.prometheus.routes["GET", "/api/v1/query"], [fakes.vector(({"alertmanager": "a"}, "3"))] * 2
    world.prometheus.routes["GET", "/api/v1/query"] = lambda query, body: (
        (200, failing.pop()) if failing and "errors_total" in query["query"] else healthy(query, body)
    )
    assert world.check(NOTIFICATIONS, patience=60).status is Status.OK
    assert not failing


def test_a_healthy_stack_passes_every_check(world: World) -> None:
    results = world.verify(patience=5)
    assert {name: (r.status, r.detail) for name, r in results.items() if r.status is not Status.OK} == {}
    assert list(results) == [check.name for check in planned_checks(world.plan, world.config)]
    assert results["every target is up"].detail == "8 targets in 8 jobs"
    assert results["every dashboard is there"].detail == "5 dashboards"


def test_the_test_alert_is_resolved_at_the_end(world: World) -> None:
    assert passed(list(world.verify(patience=5).values()))
    (alert,) = world.alertmanager.alerts.values()
    assert alert["endsAt"] > alert["startsAt"]
    assert alert["endsAt"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert world.alertmanager.sent == 2


def _rules(world: World, **changes: Any) -> None:
    groups = fakes.loaded_groups(world.plan)
    rule = next(rule for group in groups for rule in group["rules"] if rule["name"] == "TargetDown")
    rule |= changes
    world.prometheus.set("/api/v1/rules", fakes.success({"groups": groups}))


def _without_rule(world: World, name: str) -> None:
    groups = fakes.loaded_groups(world.plan)
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if rule["name"] != name]
    world.prometheus.set("/api/v1/rules", fakes.success({"groups": groups}))


def _extra_rule(world: World) -> None:
    groups = fakes.loaded_groups(world.plan)
    groups[0]["rules"].append({"name": "Old", "query": "vector(1)", "labels": {}, "health": "ok"})
    world.prometheus.set("/api/v1/rules", fakes.success({"groups": groups}))


def _target(world: World, job: str, *replacement: dict[str, Any]) -> None:
    _, answer = world.prometheus.answer("GET", "/api/v1/targets", None)
    targets = [t for t in answer["data"]["activeTargets"] if t["scrapePool"] != job]
    world.prometheus.set("/api/v1/targets", fakes.success({"activeTargets": [*targets, *replacement]}))


def _config(world: World, change: Any) -> None:
    _, answer = world.prometheus.answer("GET", "/api/v1/status/config", None)
    text = fakes.changed_configuration(answer["data"]["yaml"], change)
    world.prometheus.set("/api/v1/status/config", fakes.success({"yaml": text}))


def _alertmanager_config(world: World, change: Any) -> None:
    _, answer = world.alertmanager.answer("GET", "/api/v2/status", None)
    text = fakes.changed_configuration(answer["config"]["original"], change)
    world.alertmanager.set("/api/v2/status", {**answer, "config": {"original": text}})


def _query(world: World, **series: str) -> None:
    failing = fakes.vector((series, "2"))
    healthy = world.prometheus.routes["GET", "/api/v1/query"]
    world.prometheus.routes["GET", "/api/v1/query"] = lambda query, body: (
        (200, failing) if ("failed_total" in query["query"]) == ("integration" in series) else healthy(query, body)
    )


def _failing_channel(world: World) -> None:
    channels = {"team-chat": {"type": "webhook", "url": "https://example.com/a"}}
    alerting = {"channels": channels, "default_channels": [*channels]}
    world.plan = planned(stack(environment="dev", alerting=alerting))
    _query(world, receiver_name="team-chat", integration="webhook")


def _board(world: World, change: Any) -> None:
    _, answer = world.grafana.answer("GET", "/api/dashboards/uid/node", None)
    change(answer)
    world.grafana.set("/api/dashboards/uid/node", answer)


def _set(name: str, path: str, data: Any, status: int = 200, method: str = "GET") -> Any:
    return lambda world: getattr(world, name).set(path, data, status, method)


def _be(**values: Any) -> Any:
    return lambda world: vars(world.alertmanager).update(values)


TARGETS, HEALTHY, QUERY = "every target is up", "every rule is healthy", "a query answers"
SENDS, NOTIFICATIONS = "prometheus sends to alertmanager", "no notification fails"
CONFIG, RULES = "prometheus runs the planned configuration", "prometheus runs the planned rules"
WATCHDOG, ALERT = "the dead man's switch fires", "a test alert is delivered and resolves"
ALERTMANAGER = "alertmanager runs the planned configuration"
TRACE, DATASOURCES, DASHBOARDS = (
    "a trace that is sent is found again",
    "every datasource works",
    "every dashboard is there",
)

BROKEN = [
    ("prometheus answers", _set("prometheus", "/-/ready", "starting", 503), "503 Service Unavailable: starting", "log"),
    (TARGETS, lambda w: _target(w, "jaeger", fakes.target("jaeger", "down", "no route")), "is down: no route", "reach"),
    (TARGETS, lambda w: _target(w, "jaeger", fakes.target("jaeger", "unknown")), "not been scraped yet", "reach"),
    (TARGETS, lambda w: _target(w, "jaeger"), "jaeger: has no target", "reach"),
    (HEALTHY, lambda w: _rules(w, health="err", lastError="many-to-many"), "TargetDown: many-to-many", "rules/"),
    (HEALTHY, lambda w: _rules(w, health="unknown"), "TargetDown: not evaluated yet", "rules/"),
    (HEALTHY, lambda w: _without_rule(w, "TargetDown"), "are planned", "make up"),
    (QUERY, _set("prometheus", "/api/v1/query", fakes.vector()), "count(up) is empty", "disk"),
    (QUERY, _set("prometheus", "/api/v1/query", {"status": "error"}), "without success", ""),
    (
        SENDS,
        _set("prometheus", "/api/v1/alertmanagers", fakes.success({"activeAlertmanagers": []})),
        "does not send to alertmanager:9093; it sends to none",
        "make up",
    ),
    (
        NOTIFICATIONS,
        _failing_channel,
        "channel team-chat (webhook)",
        "secret",
    ),
    (
        NOTIFICATIONS,
        lambda w: _query(w, alertmanager="http://a"),
        "last 105s: Prometheus to http://a",
        "Prometheus' log",
    ),
    (CONFIG, lambda w: _config(w, lambda d: d["scrape_configs"].pop()), "scrape_configs: ", "make up"),
    (
        CONFIG,
        lambda w: _config(w, lambda d: d["global"].update(scrape_interval="30s")),
        "global.scrape_interval: '15s' is planned, '30s' runs",
        "make up",
    ),
    (
        CONFIG,
        lambda w: _config(w, lambda d: d["scrape_configs"][0].update(sample_limit=5)),
        "scrape_configs[prometheus].sample_limit: runs, but is not planned",
        "make up",
    ),
    (
        CONFIG,
        _set("prometheus", "/api/v1/status/runtimeinfo", fakes.success({"reloadConfigSuccess": False})),
        "the last reload was rejected",
        "make up",
    ),
    (RULES, lambda w: _rules(w, query="up == 1"), "TargetDown: another expression runs", "make up"),
    (RULES, lambda w: _rules(w, duration=60), "TargetDown: another `for` runs", "make up"),
    (RULES, lambda w: _rules(w, labels={}), "TargetDown: another label runs", "make up"),
    (RULES, lambda w: _rules(w, annotations={"summary": "x"}), "TargetDown: another annotation runs", "make up"),
    (RULES, lambda w: _without_rule(w, "TargetDown"), "TargetDown is not loaded", "make up"),
    (RULES, _extra_rule, "Old runs, but is not planned", "make up"),
    ("alertmanager answers", _set("alertmanager", "/-/ready", "", 500), "500 Internal Server Error", "log"),
    (WATCHDOG, _be(watchdog=[]), "has not reached Alertmanager", "evaluate"),
    (
        WATCHDOG,
        _be(
            watchdog=[fakes.Alertmanager._shown({"alertname": "Watchdog", "environment": "other"}, "nobody", "active")]
        ),
        "has not reached Alertmanager",
        "evaluate",
    ),
    (
        WATCHDOG,
        _be(
            watchdog=[
                fakes.Alertmanager._shown({"alertname": "Watchdog", "environment": "dev"}, "nobody", "suppressed")
            ]
        ),
        "Watchdog is suppressed",
        "end the silence",
    ),
    (ALERT, _be(delivers=False), "the test alert has not been delivered", "network"),
    (ALERT, _be(delivers_end=False), "the end of the test alert has not been delivered", "network"),
    (ALERT, _be(receiver="team-chat"), "goes to team-chat, not to verification", "make up"),
    (ALERT, _be(state="suppressed"), "a silence or an inhibition holds", "end the silence"),
    (ALERT, _set("alertmanager", "/metrics", "alertmanager_build_info 1\n"), "has no receiver verification", "make up"),
    (ALERT, _set("alertmanager", "/api/v2/alerts", "bad alert", 400, "POST"), "400 Bad Request: bad alert", "log"),
    (ALERT, _set("alertmanager", "/api/v2/alerts", []), "does not show it", "log"),
    (
        ALERTMANAGER,
        lambda w: _alertmanager_config(w, lambda d: d["receivers"].pop()),
        "receivers: 2 entries",
        "make up",
    ),
    (
        ALERTMANAGER,
        lambda w: _alertmanager_config(w, lambda d: d["route"].update(receiver="other")),
        "route.receiver: 'nobody' is planned, 'other' runs",
        "make up",
    ),
    ("jaeger answers", _set("jaeger", "/api/services", "no", 500), "500", "log"),
    ("jaeger answers", _set("jaeger", "/api/services", "<html>"), "no JSON", "docker ps"),
    (TRACE, _set("otlp", "/v1/traces", "busy", 503, "POST"), "503", "log"),
    (TRACE, _set("otlp", "/v1/traces", {}, method="POST"), "is not found again", "storage"),
    (
        TRACE,
        _set("otlp", "/v1/traces", {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "full"}}, method="POST"),
        "rejected the span: full",
        "log",
    ),
    (TRACE, _set("jaeger", "/api/v3/traces/*", {"result": {"resourceSpans": []}}), "is not found again", "storage"),
    (TRACE, _set("jaeger", "/api/v3/traces/*", "broken", 500), "500", "log"),
    ("grafana answers", _set("grafana", "/api/health", {"database": "failing"}), "database is failing", "disk"),
    (
        DATASOURCES,
        _set("grafana", "/api/datasources/uid/prometheus/health", {"status": "ERROR", "message": "refused"}),
        "Prometheus: refused",
        "make up",
    ),
    (DATASOURCES, _set("grafana", "/api/datasources/uid/jaeger", {}, 404), "no such datasource", "make up"),
    (
        DATASOURCES,
        _set("grafana", "/api/datasources/uid/jaeger", {"type": "jaeger", "url": "http://x"}),
        "Jaeger: url is http://x, planned is http://jaeger:16686",
        "make up",
    ),
    (
        DATASOURCES,
        _set("grafana", "/api/datasources/proxy/uid/alertmanager/api/v2/status", "no", 502),
        "Alertmanager: ",
        "make up",
    ),
    (DATASOURCES, _set("grafana", "/api/datasources/uid/jaeger", {}, 401), "401 Unauthorized", "--password-file"),
    (DASHBOARDS, _set("grafana", "/api/dashboards/uid/node", {}, 404), "node.json: is not there", "make up"),
    (
        DASHBOARDS,
        lambda w: _board(w, lambda a: a["meta"].update(folderTitle="General")),
        "is in folder General",
        "make up",
    ),
    (
        DASHBOARDS,
        lambda w: _board(w, lambda a: a["dashboard"].update(title="Mine")),
        "title: 'Node' is planned",
        "make up",
    ),
    (DASHBOARDS, lambda w: _board(w, lambda a: a["dashboard"]["panels"].pop()), "panels: ", "make up"),
]


@pytest.mark.parametrize(
    ("name", "break_it", "detail", "remedy"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value)[:40])
)
def test_each_check_fails_with_its_remedy(world: World, name: str, break_it: Any, detail: str, remedy: str) -> None:
    break_it(world)
    result = world.check(name)
    assert (result.status, detail in result.detail, remedy in result.remedy) == (Status.FAILED, True, True), result


def test_every_check_has_a_test_that_breaks_it(world: World) -> None:
    assert {check.name for check in planned_checks(world.plan, world.config)} == {name for name, *_ in BROKEN}


def test_a_failed_notification_ends_the_wait_at_once(world: World) -> None:
    def take_and_fail(_query: Any, body: Any) -> fakes.Answer:
        world.alertmanager.alerts[body[0]["labels"]["verification"]] = body[0]
        world.alertmanager.sent += 1
        world.alertmanager.failed += 1
        return 200, ""

    world.alertmanager.routes["POST", "/api/v2/alerts"] = take_and_fail
    result = world.verify(patience=600)[ALERT]
    assert result.detail == "the test alert could not be delivered to receiver verification"
    assert result.seconds < 300


def test_an_answer_in_another_shape_fails_that_check_alone(world: World) -> None:
    world.prometheus.set("/api/v1/targets", fakes.success({"unexpected": 1}))
    results = world.verify(patience=3)
    assert results[TARGETS].status is Status.FAILED
    assert "KeyError" in results[TARGETS].detail
    assert [name for name, r in results.items() if r.status is not Status.OK] == [TARGETS]


def test_what_needs_a_silent_endpoint_is_not_checked(world: World) -> None:
    world.prometheus.set("/-/ready", "", 503)
    results = world.verify()
    assert results["prometheus answers"].status is Status.FAILED
    assert (results[RULES].status, results[RULES].detail) == (Status.NOT_CHECKED, "prometheus does not answer")
    assert results[ALERT].status is Status.OK


def test_what_cannot_be_reached_says_why(world: World) -> None:
    reason = "alertmanager is not published; give `ports.alertmanager` a port"
    results = world.verify(unreachable={"alertmanager": reason})
    assert {name for name, r in results.items() if r.status is Status.NOT_CHECKED} == {
        "alertmanager answers",
        WATCHDOG,
        ALERT,
        ALERTMANAGER,
    }
    assert results[ALERT].detail == reason
    assert passed(list(results.values()))


def test_patience_waits_for_what_takes_a_moment(world: World) -> None:
    """Three answers are too early, counted and not timed: a machine that is busy makes no difference."""
    _, healthy = world.prometheus.answer("GET", "/api/v1/targets", None)
    _target(world, "jaeger", fakes.target("jaeger", "unknown"))
    _, early = world.prometheus.answer("GET", "/api/v1/targets", None)
    answers = [early, early, early, healthy]
    world.prometheus.routes["GET", "/api/v1/targets"] = lambda _query, _body: (200, answers.pop(0))
    (check,) = (check for check in planned_checks(world.plan, world.config) if check.name == TARGETS)
    result = run_check(check, Running(world.config, world.plan, world.endpoints, patience=300))
    assert (result.status, answers) == (Status.OK, []), result


@pytest.mark.parametrize(
    ("name", "program", "path"),
    [
        (CONFIG, "prometheus", "/api/v1/status/config"),
        (RULES, "prometheus", "/api/v1/rules"),
        (ALERTMANAGER, "alertmanager", "/api/v2/status"),
    ],
)
def test_no_answer_is_no_difference_to_what_is_planned(world: World, name: str, program: str, path: str) -> None:
    asked: fakes.Fake = getattr(world, program)
    healthy, busy = asked.routes["GET", path], ["busy", "busy"]
    asked.routes["GET", path] = lambda query, body: (503, busy.pop()) if busy else healthy(query, body)
    assert world.check(name, patience=300).status is Status.OK
    assert not busy


@pytest.mark.parametrize(
    ("name", "program", "method", "path"),
    [
        (ALERT, "alertmanager", "GET", "/api/v2/status"),
        (ALERT, "alertmanager", "GET", "/metrics"),
        (ALERT, "alertmanager", "POST", "/api/v2/alerts"),
        (TRACE, "otlp", "POST", "/v1/traces"),
    ],
)
def test_a_program_that_is_busy_is_asked_again(world: World, name: str, program: str, method: str, path: str) -> None:
    asked = world.servers()[program]
    healthy, busy = asked.routes[method, path], ["busy", "busy"]
    asked.routes[method, path] = lambda query, body: (503, busy.pop()) if busy else healthy(query, body)
    assert world.check(name, patience=300).status is Status.OK
    assert not busy


def test_a_difference_is_told_at_once(world: World) -> None:
    _rules(world, duration=60)
    world.prometheus.seen.clear()
    assert world.check(RULES, patience=300).status is Status.FAILED
    assert world.prometheus.seen.count("GET /api/v1/rules") == 1


def test_an_interruption_takes_the_test_alert_back(world: World) -> None:
    world.alertmanager.delivers = False
    running = Running(world.config, world.plan, world.endpoints, patience=60)
    take = world.alertmanager.routes["POST", "/api/v2/alerts"]

    def take_and_stop(query: Any, body: Any) -> fakes.Answer:
        running.stop.set()
        return take(query, body)

    world.alertmanager.routes["POST", "/api/v2/alerts"] = take_and_stop
    with pytest.raises(Interrupted):
        alertmanager.test_alert_delivered(running)
    (alert,) = world.alertmanager.alerts.values()
    assert alert["endsAt"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def test_leaving_the_results_early_ends_the_checks_that_wait(world: World) -> None:
    world.alertmanager.delivers = False
    running = Running(world.config, world.plan, world.endpoints, patience=600)
    results = run_checks(planned_checks(world.plan, world.config), running)
    next(results)
    started = time.monotonic()
    for result in results:
        if result.name == QUERY:
            break
    results.close()
    assert time.monotonic() - started < 300
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert all(alert["endsAt"] < now for alert in world.alertmanager.alerts.values())


def test_a_closed_port_is_a_failure_with_a_remedy(world: World) -> None:
    endpoint = Endpoint("prometheus", "http://127.0.0.1:9")
    with pytest.raises(CheckFailed, match="prometheus cannot be reached") as caught:
        endpoint.get("/-/ready")
    endpoint.close()
    assert "docker ps" in caught.value.remedy


# Where the endpoints are


@pytest.mark.parametrize(
    ("port", "engine", "url"),
    [
        (Port("http", 9090, 9090), "", "http://127.0.0.1:9090"),
        (Port("http", 9090, 9090, scheme="https"), "", "https://localhost:9090"),
        (Port("http", 9090, 1, "0.0.0.0"), "unix:///var/run/docker.sock", "http://127.0.0.1:1"),
        (Port("http", 9090, 1, "0.0.0.0", "https"), "tcp://engine.example.com:2376", "https://engine.example.com:1"),
        (Port("http", 9090, 1, "10.0.0.5", "https"), "ssh://me@engine.example.com", "https://10.0.0.5:1"),
        (Port("http", 9090, 1, "::1"), "", "http://[::1]:1"),
        (Port("http", 9090, 1, "::1", "https"), "", "https://localhost:1"),
    ],
)
def test_where_a_published_port_is_reached(port: Port, engine: str, url: str) -> None:
    assert endpoint_url(port, engine) == url


def test_endpoints_say_why_they_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GRAFANA_PASSWORD, "not-a-secret")
    config = stack(ports__alertmanager=None, tracing__backend="none")
    endpoints, reasons = connect(config, planned(config, without=["grafana"]), Secrets("test"))
    for endpoint in endpoints.values():
        endpoint.close()
    assert list(endpoints) == ["prometheus"]
    assert reasons["alertmanager"] == "alertmanager is not published; give `ports.alertmanager` a port"
    assert reasons["jaeger"] == "jaeger is not part of this stack"
    assert (
        reasons["grafana"] == reasons["grafana-login"] == "grafana is left out: its image cannot be had on this machine"
    )


def test_access_by_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    (tmp_path / "ca").write_text("PEM")
    found = Secrets("test", tmp_path / "password", tmp_path / "ca").access(stack(access=ACCESS))
    assert found == Credentials("observatory", "open sesame", "PEM")
    assert "sesame" not in repr(found)
    with pytest.raises(CommandError, match="nothing cannot be read"):
        Secrets("test", tmp_path / "nothing", tmp_path / "ca").access(stack(access=ACCESS))
    assert Secrets("test").access(stack()) is None


# Smaller parts


def test_counter_sums_the_series_with_the_labels() -> None:
    text = 'a_total{x="1",y="p"} 2\na_total{x="1",y="q"} 3.5e+00\na_total{x="2",y="p"} 9\na_total_other{x="1"} 7\n'
    assert counter(text, "a_total", x="1") == 5.5
    assert counter(text, "a_total", x="3") is None


def test_no_watchdog_planned_is_said() -> None:
    config = stack()
    running = Running(config, Plan("test", ()), {})
    with pytest.raises(NotChecked, match="no rule Watchdog is planned"):
        alertmanager.watchdog_fires(running)


def test_grafana_disabled_has_no_checks() -> None:
    config = stack(grafana__enabled=False)
    names = {check.name for check in planned_checks(planned(config), config)}
    assert names.isdisjoint(check.name for check in grafana.CHECKS)


def test_a_check_that_is_not_patient_is_asked_once() -> None:
    calls = []

    def fail(_running: Running) -> str:
        calls.append(1)
        raise CheckFailed("no", "do")

    config = stack()
    result = run_check(Check("x", fail, patient=False), Running(config, planned(config), {}, patience=9))
    assert (len(calls), result.detail, result.remedy) == (1, "no", "do")


def test_junit_counts_and_names() -> None:
    results = [
        Result("a", Status.OK, "", "", 1.0),
        Result("b", Status.FAILED, "bad <thing>", "mend"),
        Result("c", Status.NOT_CHECKED, "why"),
    ]
    root = ET.fromstring(as_junit("suite", results))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "1", "1")
    failure = root.find("testcase[@name='b']/failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("bad <thing>", "mend")
