"""For each diagnosis facts in which it is there: where, and words of what was seen and of the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from operations.doctor.facts import Facts
from operations.running import CheckFailed
from tests.operations.doctor.healthy import (
    GIBIBYTE,
    NOW,
    down,
    healthy,
    said,
    series,
    with_alert,
    with_answers,
    with_failed,
    with_program,
    with_query,
    with_target,
)

Case = tuple[str, Callable[[], Facts], str, str, str]
SILENCE = {"id": "1234567890", "createdBy": "ann", "comment": "", "endsAt": "2027-01-16T00:00:00Z"}


def _failing(endpoint: str, status: int = 0) -> Callable[[], Facts]:
    return lambda: replace(healthy(), failures={endpoint: CheckFailed(f"{endpoint} says no", "", status)})


def _silenced(alert: str) -> Facts:
    facts = with_alert(labels={"alertname": alert}, status={"state": "suppressed", "silencedBy": ["1234567890"]})
    return replace(facts, answers={**facts.answers, "silences": [SILENCE]})


def _without_node_metrics() -> Facts:
    names = [name for name in healthy().answers["names"] if not name.startswith(("node_", "instance", "job", "up"))]
    return with_answers(names=names)


CASES: tuple[Case, ...] = (
    (
        "container-missing",
        lambda: with_program("jaeger", state="missing"),
        "jaeger",
        "observatory-dev-jaeger",
        "--refresh",
    ),
    (
        "container-stopped",
        lambda: with_program("jaeger", state="exited", exit_code=2, log=said("panic: no")),
        "jaeger",
        "exited with code 2\npanic: no",
        "pulumi up --refresh --stack dev",
    ),
    (
        "container-paused",
        lambda: with_program("jaeger", state="paused"),
        "jaeger",
        "paused",
        "docker unpause observatory-dev-jaeger",
    ),
    (
        "container-out-of-memory",
        lambda: with_program("prometheus", state="restarting", out_of_memory=True),
        "prometheus",
        "memory limit, now 1024 MiB",
        "`resources.prometheus.memory: 2048MB`",
    ),
    (
        "container-restarting",
        lambda: with_program("jaeger", restarts=3, started=NOW - 60, log=said("fatal")),
        "jaeger",
        "started again 3 times, last 60 s ago\nfatal",
        "docker logs --tail 50 observatory-dev-jaeger",
    ),
    (
        "container-unhealthy",
        lambda: with_program("jaeger", failing_probes=3, probe_output="no answer\n"),
        "jaeger",
        "failed 3 times in a row: no answer",
        "docker restart observatory-dev-jaeger",
    ),
    (
        "memory-near-limit",
        lambda: with_program("jaeger", memory=int(GIBIBYTE * 0.95)),
        "jaeger",
        "973 MiB of 1024 MiB (95%)",
        "`resources.jaeger.memory: 2048MB`",
    ),
    (
        "platform-unreachable",
        lambda: replace(healthy(), programs={}, missing={"platform": "the Docker engine does not answer"}),
        "Docker engine",
        "does not answer",
        "`docker.host`",
    ),
    ("endpoint-silent", _failing("jaeger"), "jaeger", "jaeger says no", "ss -ltnp 'sport = :16686'"),
    (
        "endpoint-login-refused",
        _failing("prometheus", 401),
        "prometheus",
        "says no",
        "config get observatory:accessPassword",
    ),
    (
        "certificate-expiring",
        lambda: replace(healthy(), certificates={"prometheus": NOW + 86400}),
        "prometheus",
        "ends in 1.0 days",
        "./observatory certs dev",
    ),
    (
        "certificate-expiring",
        lambda: with_query("certificate-expiring", series(NOW - 86400, instance="https://shop")),
        "https://shop",
        "ended 1.0 days ago",
        "renew it",
    ),
    (
        "clock-skew",
        lambda: with_query("clock-skew", series(-45, instance="node-exporter:9100")),
        "node-exporter:9100",
        "-45 s",
        "timedatectl",
    ),
    (
        "clock-skew",
        lambda: replace(healthy(), platform_clock=NOW + 600),
        "clock of the engine",
        "+600 s",
        "timedatectl",
    ),
    (
        "disk-full",
        lambda: with_program("prometheus", log=said("write /prometheus/wal/1: no space left on device")),
        "prometheus",
        "no space left on device",
        "`retention.size`",
    ),
    (
        "disk-full",
        lambda: with_query("disk-full", series(0.01, instance="node-exporter:9100", mountpoint="/")),
        "node-exporter:9100 /",
        "1.0% of its space",
        "docker system df",
    ),
    (
        "disk-filling",
        lambda: with_query("disk-filling", series(0.08, instance="node-exporter:9100", mountpoint="/")),
        "node-exporter:9100 /",
        "8.0% of its space",
        "`retention.time`",
    ),
    (
        "wal-corrupt",
        lambda: with_answers(runtime={"corruptionCount": 2}),
        "prometheus",
        "corrupt in 2 places",
        "repaired itself",
    ),
    (
        "wal-corrupt",
        lambda: with_program("prometheus", state="exited", log=said("opening storage failed: corruption in segment")),
        "prometheus",
        "opening storage failed",
        "mv /prometheus/wal /prometheus/wal.bad",
    ),
    (
        "compaction-failed",
        lambda: with_query("compaction-failed", series(2, instance="prometheus:9090")),
        "prometheus",
        "failed 2 times",
        "docker logs",
    ),
    (
        "remote-storage-behind",
        lambda: with_query("remote-storage-behind", series(900, instance="prometheus:9090", url="http://far")),
        "prometheus",
        "http://far is 900 s behind",
        "docker logs",
    ),
    (
        "bucket-failing",
        lambda: with_query("bucket-failing", series(1, instance="thanos-compact:10902", what="halted")),
        "thanos-compact:10902",
        "halted",
        "`storage.bucket`",
    ),
    (
        "target-refused",
        lambda: down("dial tcp 10.0.0.1:8080: connect: connection refused"),
        "shop-1:8080",
        "connection refused",
        "`services[0].discovery` and `services[0].port`",
    ),
    (
        "target-unauthorised",
        lambda: down("server returned HTTP status 401 Unauthorized"),
        "shop-1:8080",
        "401",
        "`services[0].authentication`",
    ),
    (
        "target-timeout",
        lambda: down("context deadline exceeded"),
        "shop-1:8080",
        "deadline",
        "`services[0].timeout` (now 10s)",
    ),
    ("target-over-limit", lambda: down("sample limit exceeded"), "shop-1:8080", "limit", "`services[0].sample_limit`"),
    (
        "target-certificate",
        lambda: down("tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        "shop-1:8080",
        "unknown authority",
        "`services[0].tls.ca`",
    ),
    (
        "target-unreadable",
        lambda: down('expected a valid start token, got "<"'),
        "shop-1:8080",
        "token",
        "`services[0].path`",
    ),
    (
        "job-without-target",
        lambda: with_answers(targets=[each for each in healthy().answers["targets"] if each["scrapePool"] != "shop"]),
        "shop",
        "finds no target",
        "`services[0].discovery`",
    ),
    (
        "target-empty",
        lambda: with_query("target-empty", series(0, job="shop", instance="shop-1:8080")),
        "shop-1:8080",
        "no sample is kept",
        "`services[0].keep`",
    ),
    (
        "scrape-slow",
        lambda: with_target(lastScrapeDuration=9.0),
        "shop-1:8080",
        "9.0 s of its 10 s",
        "`services[0].timeout`",
    ),
    (
        "discovery-failing",
        lambda: with_query("discovery-failing", series(3, mechanism="docker", config="shop")),
        "prometheus",
        "docker failed 3 times",
        "`services[0].discovery`",
    ),
    (
        "cardinality",
        lambda: with_query("cardinality", series(900, job="shop")),
        "shop",
        "900 series, its budget is 100; most series: shop_total 900; most values: user 880",
        "`services[0].drop`",
    ),
    (
        "series-growing",
        lambda: with_query("series-growing", series(90000, instance="prometheus:9090")),
        "prometheus",
        "90000 series",
        "`sample_limit`",
    ),
    (
        "samples-rejected",
        lambda: with_query("samples-rejected", series(7, instance="prometheus:9090", why="two values for one time")),
        "prometheus",
        "7 samples were thrown away in the last minutes: two values for one time",
        "clock",
    ),
    (
        "file-descriptors-low",
        lambda: with_query("file-descriptors-low", series(0.93, job="shop", instance="shop-1:8080")),
        "shop-1:8080",
        "93%",
        "ulimit -n",
    ),
    (
        "file-descriptors-low",
        lambda: with_program("prometheus", log=said("accept: too many open files")),
        "prometheus",
        "too many open files",
        "default-ulimits",
    ),
    (
        "rule-failing",
        lambda: with_answers(
            rules=[
                {"name": "own", "file": "/x/own.yaml", "rules": [{"name": "Own", "health": "err", "lastError": "many"}]}
            ]
        ),
        "Own",
        "rules/own.yaml, group own: many",
        "promtool test rules",
    ),
    (
        "rules-slow",
        lambda: with_query("rules-slow", series(4, rule_group="/etc/rules/http.yaml;http")),
        "prometheus",
        "group http.yaml;http was not evaluated 4 times",
        "`resources.prometheus.cpus`",
    ),
    (
        "configuration-rejected",
        lambda: with_answers(runtime={"reloadConfigSuccess": False}),
        "prometheus",
        "rejected its configuration",
        "./observatory validate dev",
    ),
    (
        "configuration-rejected",
        lambda: with_query("configuration-rejected", series(0, instance="alertmanager:9093")),
        "alertmanager",
        "rejected its configuration",
        "./observatory validate dev",
    ),
    (
        "not-deployed",
        lambda: with_failed("prometheus runs the planned rules", "rules/http.yaml: A is not loaded"),
        "prometheus",
        "A is not loaded",
        "pulumi up --stack dev",
    ),
    (
        "alertmanager-unreached",
        lambda: with_query("alertmanager-unreached", series(5, alertmanager="http://alertmanager:9093/api/v2/alerts")),
        "alertmanager",
        "failed 5 times",
        "docker logs --tail 50 observatory-dev-alertmanager",
    ),
    (
        "alertmanager-unreached",
        lambda: with_failed("prometheus sends to alertmanager", "it sends to none"),
        "alertmanager",
        "sends to none",
        "pulumi up",
    ),
    ("watchdog-missing", lambda: with_answers(alerts=[]), "alertmanager", "Watchdog", "docker logs"),
    (
        "channel-failing",
        lambda: replace(
            with_query("channel-failing", series(2, receiver_name="chat", integration="slack")),
            programs={
                "alertmanager": replace(
                    healthy().programs["alertmanager"],
                    log=said(
                        "Notify for alerts failed err=chat/slack[0]: x", "Notify for alerts failed err=old/webhook"
                    ),
                )
            },
        ),
        "receiver chat",
        "2 notifications by slack failed in the last minutes\nNotify for alerts failed err=chat/slack[0]: x",
        "`alerting.channels`",
    ),
    ("alerts-silenced", lambda: _silenced("Watchdog"), "silence 12345678", "by ann", "silence expire 1234567890"),
    (
        "alerts-held-back",
        lambda: with_alert(status={"state": "suppressed", "inhibitedBy": ["x"]}),
        "inhibited alerts",
        "1 alerts (A)",
        "./observatory route dev alertname=A",
    ),
    (
        "alerts-held-back",
        lambda: with_alert(status={"state": "suppressed", "mutedBy": ["nights"]}),
        "muted alerts",
        "a time interval",
        "`alerting.routes[].mute`",
    ),
    (
        "alerts-unheard",
        lambda: with_alert(receivers=[{"name": "nobody"}]),
        "alerting",
        "(A)",
        "`alerting.default_channels`",
    ),
    (
        "alertmanagers-apart",
        lambda: with_failed("the alertmanagers are one cluster", "2 members"),
        "alertmanager",
        "2 members",
        "the remedy",
    ),
    (
        "spans-lost",
        lambda: with_query("spans-lost", series(9, instance="jaeger:8888", exporter="badger")),
        "jaeger",
        "9 spans were not stored in the last minutes (badger)",
        "`tracing.storage`",
    ),
    (
        "traces-missing",
        lambda: with_answers(services=["jaeger"]),
        "jaeger",
        "no service of yours",
        "OTEL_TRACES_SAMPLER",
    ),
    (
        "datasource-failing",
        lambda: with_failed("every datasource works", "Prometheus: 502"),
        "grafana",
        "502",
        "docker logs",
    ),
    (
        "dashboard-missing",
        lambda: with_failed("every dashboard is there", "is not there"),
        "grafana",
        "is not",
        "pulumi up",
    ),
    ("dashboard-without-data", _without_node_metrics, "dashboard Node", "metrics has a sample", "`dashboards`"),
    (
        "queries-slow",
        lambda: with_query("queries-slow", series(12, instance="prometheus:9090", slice="inner_eval")),
        "prometheus",
        "12.0 s",
        "`resources.prometheus.cpus`",
    ),
)
