"""Each diagnosis is silent on a healthy stack, and says where, what and what to do once its failure is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from components.promql import metrics_in
from components.services.demo import with_demo
from operations.doctor.facts import Facts
from operations.doctor.findings import Severity, as_json, diagnose, is_wrong, not_looked_at
from operations.doctor.registry import DIAGNOSES
from operations.doctor.views import no_spans
from tests.operations.doctor.cases import CASES, Case
from tests.operations.doctor.healthy import (
    WATCHDOG,
    down,
    healthy,
    program,
    said,
    series,
    target,
    with_answers,
    with_program,
    with_query,
)
from tests.support import images, planned, stack

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "troubleshooting.md"
METRICS = Path(__file__).parents[3] / "metrics"


def test_a_healthy_stack_has_no_finding() -> None:
    assert diagnose(healthy(), DIAGNOSES) == []


def test_there_is_a_case_for_each_diagnosis() -> None:
    assert {case[0] for case in CASES} == {each.name for each in DIAGNOSES}
    assert len({each.name for each in DIAGNOSES}) == len(DIAGNOSES)


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_its_failure_is_found(case: Case) -> None:
    name, facts, where, saw, remedy = case
    told = {(each.diagnosis, each.where): each for each in diagnose(facts(), DIAGNOSES)}
    assert (name, where) in told, list(told)
    found = told[name, where]
    assert saw in found.saw
    assert remedy in found.remedy
    assert found.severity in (next(each for each in DIAGNOSES if each.name == name).severity, Severity.NOTE)


@pytest.mark.parametrize("each", DIAGNOSES, ids=lambda each: each.name)
def test_its_explanations_are_diagnoses_too(each: object) -> None:
    names = {other.name for other in DIAGNOSES}
    assert set(getattr(each, "explained_by", ())) <= names


@pytest.mark.parametrize("each", [each for each in DIAGNOSES if each.query], ids=lambda each: each.name)
def test_its_query_is_one_and_its_metrics_exist(each: object) -> None:
    query = str(getattr(each, "query", "")).replace("$window", "2m")
    promql_parser.parse(query)
    known = {line.split("{")[0].strip() for file in METRICS.glob("*.txt") for line in file.read_text().splitlines()}
    # Remote storage is none of the stack's own yet; of spans one of two names exists.
    elsewhere = {name for name in metrics_in(query) if name.startswith("prometheus_remote_storage_")}
    assert metrics_in(query) - elsewhere <= known


def test_the_guide_lists_each_with_what_it_means() -> None:
    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{each.name}` | {each.severity} | {each.means} |" for each in DIAGNOSES]


def test_a_stopped_container_explains_its_refused_scrapes() -> None:
    """Told once, with what follows; the same failure elsewhere is told on its own."""
    facts = with_program("alertmanager", state="exited")
    refused = {"health": "down", "lastError": "connection refused"}
    targets = [
        {**each, **refused} if each["scrapePool"] in ("alertmanager", "shop") else each
        for each in facts.answers["targets"]
    ]
    found = diagnose(replace(facts, answers={**facts.answers, "targets": targets}), DIAGNOSES)
    assert [(each.diagnosis, each.where) for each in found] == [
        ("container-stopped", "alertmanager"),
        ("target-refused", "shop-1:8080"),
    ]
    assert found[0].consequences == ("target-refused: alertmanager",)


def test_the_first_of_a_chain_explains_all() -> None:
    """A full disk stops the program, so its port is silent and its scrapes fail: one finding."""
    facts = with_program("prometheus", state="running", log=said("no space left on device"))
    facts = replace(facts, answers={**facts.answers, "runtime": {"corruptionCount": 1}})
    (found,) = diagnose(facts, DIAGNOSES)
    assert (found.diagnosis, found.consequences) == ("disk-full", ("wal-corrupt: prometheus",))


def test_old_words_and_old_crashes_are_no_news() -> None:
    assert diagnose(with_program("prometheus", log=said("no space left on device", ago=600)), DIAGNOSES) == []
    assert diagnose(with_program("prometheus", restarts=3), DIAGNOSES) == []
    assert diagnose(with_program("prometheus", out_of_memory=True), DIAGNOSES) == []
    assert diagnose(with_program("prometheus", failing_probes=1), DIAGNOSES) == []


def test_why_a_configuration_was_rejected_is_told_whatever_failed_since() -> None:
    log = said('level=ERROR msg="Error reloading config" err="no job_name"', 'level=ERROR msg="Error sending alerts"')
    facts = with_answers(runtime={"reloadConfigSuccess": False})
    facts = replace(facts, programs={**facts.programs, "prometheus": program(log=log)})
    (found,) = diagnose(facts, DIAGNOSES)
    assert found.saw.endswith('err="no job_name"')


def test_failures_of_receivers_that_are_no_longer_planned_are_over() -> None:
    """Nor are those of `verify`: its receiver is Prometheus, and no channel of anybody's."""
    failures = [series(2, receiver_name=name, integration="webhook") for name in ("old", "verification")]
    assert diagnose(with_query("channel-failing", *failures), DIAGNOSES) == []


def test_commands_name_the_stack_as_pulumi_does_and_its_own_engine() -> None:
    """A stack file may be called otherwise than its environment; the engine may be another machine's."""
    config = stack(environment="dev", docker={"host": "tcp://engine.example.com:2375"})
    facts = replace(healthy(), stack="stacks/Pulumi.team-dev.yaml", config=config)
    assert facts.deploy == "pulumi up --stack team-dev"
    engine = "docker --host tcp://engine.example.com:2375"
    assert facts.logs("grafana") == f"{engine} logs --tail 50 observatory-dev-grafana"
    stopped = replace(facts, programs={**facts.programs, "grafana": program(state="paused")})
    (found,) = diagnose(stopped, DIAGNOSES)
    assert found.remedy == f"{engine} unpause observatory-dev-grafana"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"ports": {"otlp_http": "127.0.0.1:24318"}},
            "http://127.0.0.1:24318 here,\nhttp://observatory-dev-jaeger:4318",
        ),
        ({"ports": {"otlp_http": None}}, "services: http://observatory-dev-jaeger:4318"),
        ({"platform": "kubernetes", "kubernetes": {"context": "far"}}, "http://jaeger.observatory-dev:4318, from a"),
    ],
)
def test_where_spans_go_is_where_they_can_go(changes: dict[str, Any], told: str) -> None:
    service = {"name": "shop", "team": "web", "port": 80, "discovery": {"static": {"targets": ["shop"]}}}
    config = stack(environment="dev", services=[service], **changes)
    (found,) = no_spans(replace(with_answers(services=["jaeger"]), config=config, plan=planned(config)))
    assert told in found.remedy


def test_a_silence_is_ended_with_the_login_that_alertmanager_asks_for() -> None:
    silenced = {**WATCHDOG, "status": {"state": "suppressed", "silencedBy": ["1234567890"]}}
    facts = with_answers(alerts=[silenced], silences=[{"id": "1234567890"}])
    (found,) = diagnose(facts, DIAGNOSES)
    assert found.remedy == (
        "docker exec observatory-dev-alertmanager amtool --alertmanager.url=https://localhost:9093 "
        "--http.config.file=/etc/alertmanager/current/client.yml silence expire 1234567890"
    )


def test_what_a_young_stack_does_not_know_yet_is_not_missing() -> None:
    """Up to a minute, in which an alert that nobody took is not sent again, and three evaluations of 15 s."""
    facts = healthy()

    def found(start: str) -> set[str]:
        young = {**facts.answers, "alerts": [], "names": [], "runtime": {"startTime": f"2027-01-15T{start}Z"}}
        return {each.diagnosis for each in diagnose(replace(facts, answers=young), DIAGNOSES)}

    assert found("07:59:50") == found("07:58:16") == set()
    assert "watchdog-missing" in found("07:58:14")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ('Get "http://x": dial tcp: lookup x on 127.0.0.11:53: no such host', "target-refused"),
        ('Get "http://x": dial tcp 10.0.0.1:1: i/o timeout', "target-timeout"),
        (
            'Get "http://x": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
            "target-timeout",
        ),
        ("server returned HTTP status 403 Forbidden", "target-unauthorised"),
        ('oauth2: "invalid_client" "Bad credentials"', "target-unauthorised"),
        ("label_limit exceeded (metric: a, number of labels: 70, limit: 64)", "target-over-limit"),
        ("body size limit exceeded", "target-over-limit"),
        ("target_limit exceeded (number of targets: 3, limit: 2)", "target-over-limit"),
        ("server returned HTTP status 404 Not Found", "target-unreadable"),
        (
            'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified',
            "target-unreadable",
        ),
        ("http: server gave HTTP response to HTTPS client", "target-unreadable"),
        ("tls: first record does not look like a TLS handshake", "target-certificate"),
    ],
)
def test_the_reason_of_a_scrape_is_told_apart(error: str, name: str) -> None:
    assert [each.diagnosis for each in diagnose(down(error), DIAGNOSES)] == [name]


def test_notes_are_no_failure() -> None:
    found = diagnose(with_answers(services=[]), DIAGNOSES)
    assert [each.severity for each in found] == [Severity.NOTE]
    assert not is_wrong(found)
    assert is_wrong(diagnose(down("connection refused"), DIAGNOSES))


def test_what_cannot_be_asked_is_not_guessed() -> None:
    """Without Prometheus its diagnoses are left out with the reason; the others are made."""
    facts = replace(healthy(), answers={}, queries={}, missing={"prometheus": "prometheus is not published"})
    assert diagnose(facts, DIAGNOSES[:8]) == []
    skipped = not_looked_at(facts, DIAGNOSES)
    assert skipped["target-refused"] == "prometheus is not published"
    assert "container-stopped" not in skipped


@pytest.mark.parametrize("platform", [(), ("platform",)])
def test_no_diagnosis_needs_more_than_it_says(platform: tuple[str, ...]) -> None:
    """With nothing but the plan there is no traceback: each that reads a source names it."""
    sources = ("prometheus", "alertmanager", "jaeger", "grafana", "grafana-login", *platform)
    missing = dict.fromkeys(sources, "gone")
    facts = Facts(config=healthy().config, plan=healthy().plan, stack="dev", now=0.0, missing=missing)
    assert {each.diagnosis for each in diagnose(facts, DIAGNOSES)} <= {"platform-unreachable"}


def test_the_report_for_scripts() -> None:
    facts = down("connection refused")
    report = as_json(facts, diagnose(facts, DIAGNOSES), DIAGNOSES)
    assert (report["ok"], report["environment"], len(report["diagnoses"])) == (False, "dev", len(DIAGNOSES))
    assert report["findings"][0]["severity"] == "critical"


def test_remedies_in_a_cluster_are_of_the_cluster() -> None:
    config = stack(environment="far", platform="kubernetes", kubernetes={"context": "far"})
    facts = replace(healthy(), config=config, plan=planned(config))
    assert facts.logs("alertmanager") == (
        "kubectl --context far --namespace observatory-far logs --selector app.kubernetes.io/name=alertmanager "
        "--container alertmanager --tail 50"
    )


def test_a_service_of_the_demo_has_no_place_in_the_stack_file() -> None:
    """They are planned among the user's own; an index would lead to another one's entry, or to none."""
    config = stack(demo=True)
    config = with_demo(config, images(config))
    gone = "dial tcp 10.0.0.1:8002: connect: connection refused"
    targets = [target("demo-cassandra", "demo-exporter:8002", health="down", lastError=gone)]
    facts = replace(with_answers(targets=targets), config=config, plan=planned(config))
    facts = replace(facts, queries={**facts.queries, "cardinality": (series(9e6, job="demo-shop"),)})
    found = {each.diagnosis: each for each in diagnose(facts, DIAGNOSES)}
    refused = found["target-refused"]
    assert (refused.where, refused.remedy) == ("demo-exporter", "pulumi up --refresh --stack dev")
    assert refused.saw.startswith("demo-cassandra: ")
    assert "job demo-shop has 9000000 series" in found["cardinality"].saw
    assert "`demo: false`" in found["cardinality"].remedy
    assert [each for each in found.values() if "services[" in each.remedy] == []


def test_the_own_services_keep_their_places_beside_the_demo() -> None:
    own = {"name": "shop", "team": "web", "port": 8080, "discovery": {"static": {"targets": ["shop-1"]}}}
    config = stack(demo=True, services=[own])
    facts = replace(healthy(), config=with_demo(config, images(config)))
    assert [facts.service_key(job) for job in ("shop", "demo-shop", "prometheus")] == ["services[0]", "", ""]
