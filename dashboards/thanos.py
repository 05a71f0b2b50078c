"""Thanos: do samples reach the bucket, is it kept in order, and how are queries over the history answered."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, number
from dashboards.style import GREEN, RED, Limit, Query, rate, share

UID = "observatory-thanos"
TITLE = "Thanos"
FOLDER = "Observatory"
NEEDS: frozenset[str] = frozenset({"thanos"})
ONE_OF: frozenset[str] = frozenset()

_ENV = 'environment=~"$environment"'
_THANOS = f'job=~"thanos-.+", {_ENV}'
_SIDECAR = f'job="thanos-sidecar", {_ENV}'
_COMPACT = f'job="thanos-compact", {_ENV}'
_QUERY = f'job="thanos-query", handler=~"query|query_range", {_ENV}'
_STORE = f'job="thanos-store", {_ENV}'
_RULE = f'job="thanos-rule", {_ENV}'
_RECEIVE = f'job="thanos-receive", {_ENV}'
_STORE_FAULTS = "Unknown|Internal|Unavailable|DataLoss|DeadlineExceeded"
_P99 = "job_instance_handler:thanos_http_request_duration_seconds:p99_5m"


def _rate(metric: str, labels: str, *by: str) -> str:
    """The sum of a counter's growth per second, by labels."""
    return f"sum by ({', '.join(by)}) ({rate(metric, labels)})" if by else f"sum({rate(metric, labels)})"


def _health(board: Board) -> None:
    board.row("Health")
    for title, description, unit, expr, limits, base in (
        (
            "Components down",
            "Components of Thanos that did not answer the last scrape.",
            "short",
            f"count(up{{{_THANOS}}} == 0) or vector(0)",
            [Limit(1)],
            GREEN,
        ),
        (
            "Sidecars connected",
            "Sidecars that reach their Prometheus.",
            "short",
            f"sum(thanos_sidecar_prometheus_up{{{_SIDECAR}}})",
            [Limit(1, GREEN)],
            RED,
        ),
        (
            "Since the last upload",
            "Time since the newest block reached the bucket; there is one every two hours.",
            "s",
            f"time() - max(thanos_objstore_bucket_last_successful_upload_time{{{_SIDECAR}}} > 0)",
            [],
            GREEN,
        ),
        (
            "Compactor halted",
            "1 where the compactor has stopped over something that it must not repair by itself.",
            "short",
            f"max(thanos_compact_halted{{{_COMPACT}}})",
            [Limit(1)],
            GREEN,
        ),
        (
            "Blocks in the bucket",
            "Blocks that the store gateway answers from.",
            "short",
            f"max(thanos_bucket_store_blocks_loaded{{{_STORE}}})",
            [],
            GREEN,
        ),
        (
            "Stores of the querier",
            "Sidecars and store gateways that the querier is connected to.",
            "short",
            f'sum(thanos_store_nodes_grpc_connections{{job="thanos-query", {_ENV}}})',
            [Limit(1, GREEN)],
            RED,
        ),
    ):
        board.add(number(title, description, unit, Query(expr), limits, base), width=4, height=4)


def _bucket(board: Board) -> None:
    board.row("Into the bucket")
    uploads = f"sum by (instance) (thanos_shipper_uploads_total{{{_SIDECAR}}})"
    board.add(
        graph(
            "Uploads",
            "Blocks that each sidecar has uploaded since it was started; one more every two hours.",
            "short",
            Query(uploads, "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Rounds of uploads",
            "Rounds in which a sidecar looked for new blocks, two in a minute: ended well, and those in which it could "
            "not upload what was there.",
            "cps",
            Query(_rate("thanos_shipper_dir_syncs_total", _SIDECAR, "instance"), "{{instance}}"),
            Query(_rate("thanos_shipper_dir_sync_failures_total", _SIDECAR, "instance"), "{{instance}} failed"),
        )
    )
    failures = _rate("thanos_objstore_bucket_operation_failures_total", _THANOS, "job", "operation")
    board.add(
        graph(
            "Failed operations",
            "Requests of each component to the S3 server that failed.",
            "cps",
            Query(failures, "{{job}} {{operation}}"),
        )
    )
    operations = _rate("thanos_objstore_bucket_operations_total", _THANOS, "job", "operation")
    board.add(
        graph(
            "Operations",
            "Requests of each component to the S3 server; many of them cost money.",
            "cps",
            Query(operations, "{{job}} {{operation}}"),
        )
    )
    board.add(
        graph(
            "Compactor",
            "What is left to do: merges, downsamplings, and blocks to delete.",
            "short",
            Query(f"sum(thanos_compact_todo_compactions{{{_COMPACT}}})", "to merge"),
            Query(f"sum(thanos_compact_todo_downsample_blocks{{{_COMPACT}}})", "to downsample"),
            Query(f"sum(thanos_compact_todo_deletion_blocks{{{_COMPACT}}})", "to delete"),
        )
    )
    board.add(
        graph(
            "Rounds of the compactor",
            "Rounds that it has ended since it was started.",
            "short",
            Query(f"sum(thanos_compact_iterations_total{{{_COMPACT}}})", "ended"),
        )
    )


def _queries(board: Board) -> None:
    board.row("Queries")
    asked = _rate("thanos_http_requests_total", _QUERY, "handler", "code")
    board.add(graph("Requests", "What the querier is asked.", "reqps", Query(asked, "{{handler}} {{code}}")))
    faults = _rate("thanos_http_requests_total", f'{_QUERY}, code=~"5.."', "handler")
    board.add(
        graph(
            "Failed",
            "Share of requests that fail, by kind.",
            "percentunit",
            Query(share(faults, _rate("thanos_http_requests_total", _QUERY, "handler")), "{{handler}}"),
            limits=[board.limit("ThanosQueryErrors")],
        )
    )
    board.add(
        graph(
            "Duration",
            "Time in which 99 of 100 requests are answered, by kind.",
            "s",
            Query(f"{_P99}{{{_ENV}}}", "{{handler}} {{instance}}"),
            limits=[board.limit("ThanosQuerySlow")],
        )
    )
    wrong = _rate("thanos_grpc_server_handled_total", f'{_STORE}, grpc_code=~"{_STORE_FAULTS}"')
    board.add(
        graph(
            "Errors of the store gateway",
            "Share of its answers that are errors.",
            "percentunit",
            Query(share(wrong, _rate("thanos_grpc_server_handled_total", _STORE)), "errors"),
            limits=[board.limit("ThanosStoreErrors")],
        )
    )
    cache = f'job="thanos-query-frontend", {_ENV}'
    board.add(
        graph(
            "Remembered",
            "Days of long queries that the query frontend had the answer of already.",
            "cps",
            Query(_rate("cortex_cache_hits_total", cache), "found"),
            Query(_rate("cortex_cache_fetched_keys_total", cache), "looked up"),
        )
    )


def _ruler(board: Board) -> None:
    board.row("Ruler (thanos-rule, where storage.ruler asks for it)")
    board.add(
        graph(
            "Evaluations",
            "Rules that each ruler evaluates, those that fail, and those whose answer lacked a store.",
            "cps",
            Query(_rate("prometheus_rule_evaluations_total", _RULE, "instance"), "{{instance}}"),
            Query(_rate("prometheus_rule_evaluation_failures_total", _RULE, "instance"), "{{instance}} failed"),
            Query(_rate("thanos_rule_evaluation_with_warnings_total", _RULE, "instance"), "{{instance}} incomplete"),
        )
    )
    board.add(
        graph(
            "Alerts",
            "Alerts that each ruler hands to Alertmanager, and those that it gave up.",
            "cps",
            Query(_rate("thanos_alert_queue_alerts_pushed_total", _RULE, "instance"), "{{instance}}"),
            Query(_rate("thanos_alert_sender_alerts_dropped_total", _RULE, "instance"), "{{instance}} dropped"),
        )
    )
    board.add(
        graph(
            "Loaded",
            "Rules that each ruler has, and whether it has refused newer ones (1).",
            "short",
            Query(f"sum by (instance) (thanos_rule_loaded_rules{{{_RULE}}})", "{{instance}}"),
            Query(f"1 - thanos_rule_config_last_reload_successful{{{_RULE}}}", "{{instance}} refused"),
        )
    )


def _receiver(board: Board) -> None:
    board.row("Receiver (thanos-receive, where storage.receive asks for it)")
    pushed = _rate("thanos_http_requests_total", f'{_RECEIVE}, handler="receive"', "code")
    board.add(
        graph("Pushed to thanos-receive", "Requests to push samples, by answer.", "reqps", Query(pushed, "{{code}}"))
    )
    faults = _rate("thanos_http_requests_total", f'{_RECEIVE}, handler="receive", code=~"5.."')
    board.add(
        graph(
            "Failed pushes",
            "Share of the requests to push samples that fail; who pushes tries again.",
            "percentunit",
            Query(share(faults, _rate("thanos_http_requests_total", f'{_RECEIVE}, handler="receive"')), "failed"),
            limits=[board.limit("ThanosReceiveErrors")],
        )
    )
    board.add(
        graph(
            "Samples taken",
            "Samples per second that the receiver has stored.",
            "cps",
            Query(_rate("thanos_receive_write_samples_sum", _RECEIVE, "code"), "{{code}}"),
        )
    )
    board.add(
        graph(
            "Series in memory",
            "Series of all servers that push; each takes 3 to 9 KB of the receiver's memory.",
            "short",
            Query(f"sum(prometheus_tsdb_head_series{{{_RECEIVE}}})", "series"),
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Samples on their way into the bucket, in it, and out of it again.", limits)
    board.filter("environment", "Environment", "The environment that is monitored.", "up", 'job=~"thanos-.+"')
    for part in (_health, _bucket, _queries, _ruler, _receiver):
        part(board)
    return board.build()
