"""The monitoring stack itself: does it scrape, evaluate, notify, trace, and how much does it hold."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, listing, number
from dashboards.stack_inside import inside
from dashboards.stack_products import containers, pages, probes, traces
from dashboards.style import GREEN, ORANGE, RED, Limit, Query, rate

UID = "observatory-stack"
TITLE = "Observatory stack"
FOLDER = "Observatory"
NEEDS: frozenset[str] = frozenset()
ONE_OF: frozenset[str] = frozenset()

_ENV = 'environment=~"$environment"'
_ANY = f'job=~"$job", {_ENV}'
_PROMETHEUS = f'job="prometheus", {_ENV}'
_ALERTMANAGER = f'job="alertmanager", {_ENV}'
_OLD_CONFIGURATION = (
    f"prometheus_config_last_reload_successful{{{_PROMETHEUS}}} == 0"
    f" or alertmanager_config_last_reload_successful{{{_ALERTMANAGER}}} == 0"
)


def _health(board: Board) -> None:
    board.row("Health")
    for title, description, expr, limits, base in (
        ("Targets up", "Targets that answered the last scrape.", f"sum(up{{{_ANY}}})", [Limit(1, GREEN)], RED),
        (
            "Targets down",
            "Targets that did not answer the last scrape.",
            f"count(up{{{_ANY}}} == 0) or vector(0)",
            [Limit(1)],
            GREEN,
        ),
        (
            "Alerts firing",
            "Alerts that are firing, without the dead man's switch.",
            f'count(ALERTS{{alertstate="firing", severity!="none", {_ENV}}}) or vector(0)',
            [Limit(1, ORANGE)],
            GREEN,
        ),
        (
            "Dead man's switch",
            "1 while the alert that always fires does so; 0 means that rules are not evaluated.",
            f'count(ALERTS{{alertname="Watchdog", alertstate="firing", {_ENV}}}) or vector(0)',
            [Limit(1, GREEN)],
            RED,
        ),
        (
            "Configurations rejected",
            "Programs that rejected their configuration at the last reload and run with the one before.",
            f"count({_OLD_CONFIGURATION}) or vector(0)",
            [Limit(1)],
            GREEN,
        ),
        (
            "Notifications failed",
            "Notifications that could not be delivered in the chosen time range, all retries included.",
            f"sum(increase(alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}[$__range]))",
            [Limit(1)],
            GREEN,
        ),
    ):
        board.add(number(title, description, "short", Query(expr), limits, base), width=4, height=4)
    board.add(
        listing(
            "Which alerts fire",
            "Every alert that is firing, without the dead man's switch. Its runbook is linked in the notification.",
            "short",
            Query(
                f'sum by (alertname, severity, job, instance) (ALERTS{{alertstate="firing", severity!="none", {_ENV}}})'
            ),
            columns=["alertname", "severity", "job", "instance"],
            value="alerts",
            base=ORANGE,
        ),
        width=12,
    )
    board.add(
        listing(
            "Targets",
            "Every target, those that are down first: 1 is up, 0 is down.",
            "short",
            Query(f"up{{{_ANY}}}"),
            columns=["job", "instance"],
            value="up",
            ascending=True,
            limits=[Limit(1, GREEN)],
            base=RED,
        ),
        width=12,
    )


def _scraping(board: Board) -> None:
    board.row("Scraping")
    board.add(
        graph(
            "Scrape duration",
            "The slowest target of each job. A scrape that takes longer than its timeout, 10 s by default, is lost.",
            "s",
            Query(f"max by (job) (scrape_duration_seconds{{{_ANY}}})", "{{job}}"),
            limits=[Limit(8)],
        )
    )
    board.add(
        graph(
            "Samples per scrape",
            "Samples that a scrape of each job brings, after relabelling. A jump is a new label value for each series.",
            "short",
            Query(f"sum by (job) (scrape_samples_post_metric_relabeling{{{_ANY}}})", "{{job}}"),
            stacked=True,
        )
    )
    board.add(
        graph(
            "New series per scrape",
            "Series that a scrape saw for the first time. Steady growth points to a label with ever new values.",
            "short",
            Query(f"sum by (job) (scrape_series_added{{{_ANY}}})", "{{job}}"),
        )
    )


def _prometheus(board: Board) -> None:
    board.row("Prometheus")
    appended = rate("prometheus_tsdb_head_samples_appended_total", _PROMETHEUS)
    board.add(
        graph(
            "Samples stored",
            "Samples per second that are written to the storage.",
            "cps",
            Query(f"sum by (instance) ({appended})", "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Series in memory",
            "Series in the head block; memory grows with them, by 3 to 8 kB each.",
            "short",
            Query(f"prometheus_tsdb_head_series{{{_PROMETHEUS}}}", "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Storage against retention size",
            "Bytes of blocks, write-ahead log and head chunks, and the size at which the oldest block is deleted.",
            "bytes",
            Query(f"prometheus_tsdb_storage_blocks_bytes{{{_PROMETHEUS}}}", "{{instance}} blocks"),
            Query(f"prometheus_tsdb_wal_storage_size_bytes{{{_PROMETHEUS}}}", "{{instance}} write-ahead log"),
            Query(f"instance:prometheus_tsdb_storage_bytes:sum{{{_PROMETHEUS}}}", "{{instance}} in all"),
            Query(f"prometheus_tsdb_retention_limit_bytes{{{_PROMETHEUS}}} > 0", "{{instance}} limit"),
        )
    )
    board.add(
        graph(
            "Rule evaluation",
            "Share of its interval that each group of rules takes. From 1 on, evaluations are skipped.",
            "percentunit",
            Query(
                # The group's name without the path of its file.
                f"max by (rule_group) (label_replace(prometheus_rule_group_last_duration_seconds{{{_PROMETHEUS}}}"
                f" / prometheus_rule_group_interval_seconds{{{_PROMETHEUS}}},"
                ' "rule_group", "$1", "rule_group", ".*;(.*)"))',
                "{{rule_group}}",
            ),
            limits=[Limit(1)],
        )
    )
    board.add(
        graph(
            "Rule failures",
            "Evaluations per second that failed or were skipped.",
            "ops",
            Query(f"sum by (instance) ({rate('prometheus_rule_evaluation_failures_total', _PROMETHEUS)})", "failed"),
            Query(
                f"sum by (instance) ({rate('prometheus_rule_group_iterations_missed_total', _PROMETHEUS)})", "skipped"
            ),
        )
    )
    board.add(
        graph(
            "Query slots in use",
            "Share of the queries that may run at once.",
            "percentunit",
            Query(
                f"prometheus_engine_queries{{{_PROMETHEUS}}}"
                f" / prometheus_engine_queries_concurrent_max{{{_PROMETHEUS}}}",
                "{{instance}}",
            ),
            limits=[board.limit("PrometheusHighQueryLoad")],
            most=1,
        )
    )


def _alerting(board: Board) -> None:
    board.row("Alerting")
    board.add(
        graph(
            "Notifications",
            "Notifications per second, by channel, whether they arrived or not.",
            "ops",
            Query(
                f"sum by (integration) ({rate('alertmanager_notifications_total', _ALERTMANAGER)}) > 0",
                "{{integration}}",
            ),
        ),
        width=6,
    )
    board.add(
        graph(
            "Share of notifications failed",
            "Share that could not be delivered, by channel, over 15 minutes. Absent while nothing is sent.",
            "percentunit",
            Query(
                f"instance_receiver_integration:alertmanager_notifications_failed:ratio_rate15m{{{_ALERTMANAGER}}}",
                "{{instance}} {{receiver_name}} ({{integration}})",
            ),
            limits=[
                board.limit("AlertmanagerNotificationsFailing", ORANGE),
                board.limit("AlertmanagerIntegrationDown"),
            ],
            most=1,
        ),
        width=6,
    )
    board.add(
        graph(
            "Alerts handed over",
            "Alerts per second that Prometheus sent, failed to send and dropped. Dropped ones are lost.",
            "ops",
            Query(f"sum({rate('prometheus_notifications_sent_total', _PROMETHEUS)})", "sent"),
            Query(f"sum({rate('prometheus_notifications_errors_total', _PROMETHEUS)})", "errors"),
            Query(f"sum({rate('prometheus_notifications_dropped_total', _PROMETHEUS)})", "dropped"),
        ),
        width=6,
    )
    board.add(
        graph(
            "Notification queue",
            "Share of the queue to Alertmanager that is taken; alerts that find it full are dropped.",
            "percentunit",
            Query(
                f"prometheus_notifications_queue_length{{{_PROMETHEUS}}} / ignoring (alertmanager) group_left ()"
                f" prometheus_notifications_queue_capacity{{{_PROMETHEUS}}}",
                "{{instance}}",
            ),
            limits=[board.limit("PrometheusNotificationQueueFilling")],
            most=1,
        ),
        width=6,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(
        UID,
        TITLE,
        "Whether the stack scrapes, evaluates, notifies and traces, and how much it holds.",
        limits,
        ["stack"],
    )
    board.filter("environment", "Environment", "Where the stack runs.", "up")
    board.filter("job", "Job", "What is scraped; filters targets, scrapes and processes.", "up", _ENV)
    board.starts(f"process_start_time_seconds{{{_ANY}}}", "job")
    for part in (_health, _scraping, _prometheus, _alerting, inside, traces, pages, probes, containers):
        part(board)
    return board.build()
