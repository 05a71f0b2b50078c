"""The four golden signals of services: latency, traffic, errors, saturation, down to what they depend on."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, timeline
from dashboards.requests import ERROR_RATIO, P95, REQUESTS, quantile
from dashboards.style import GREEN, ORANGE, RED, SERVICE, Link, Query, rate

UID = "golden-signals"
TITLE = "Golden signals"
FOLDER = "Services"
NEEDS = frozenset({"services"})
ONE_OF = frozenset({"http", "database", "cache", "dependencies", "rate-limit"})

_DETAIL = Link("RED metrics of this service", "red")


def _requests(board: Board) -> None:
    board.row("Requests (of services that expose http)")
    board.add(
        graph(
            "Latency",
            "Time within which 95 % of requests were answered. A dot is a request and leads to its trace. Needs http.",
            "s",
            Query(P95, "{{service}}"),
            Query(quantile(0.99, "service"), "p99 {{service}}", exemplar=True),
            limits=[board.limit("APIHighLatency")],
            link=_DETAIL,
        )
    )
    board.add(
        graph(
            "Traffic",
            "Requests per second that a service answered. Needs http.",
            "reqps",
            Query(REQUESTS, "{{service}}"),
            limits=[board.limit("HighRequestRate")],
            link=_DETAIL,
        )
    )
    board.add(
        graph(
            "Errors",
            "Share of requests that ended with a server error. Needs http.",
            "percentunit",
            Query(ERROR_RATIO, "{{service}}"),
            limits=[board.limit("APIHighErrorRate")],
            link=_DETAIL,
        )
    )


def _saturation(board: Board) -> None:
    board.row("Saturation")
    board.add(
        graph(
            "Processors used",
            "Processors that an instance keeps busy, of those that tell it.",
            "short",
            Query(rate("process_cpu_seconds_total", f'service!="", {SERVICE}'), "{{service}} {{instance}}"),
            stacked=True,
        ),
        width=6,
    )
    board.add(
        graph(
            "Memory used",
            "Resident memory of an instance, of those that tell it.",
            "bytes",
            Query(f'process_resident_memory_bytes{{service!="", {SERVICE}}}', "{{service}} {{instance}}"),
            stacked=True,
        ),
        width=6,
    )
    board.add(
        graph(
            "Refused by rate limits",
            "Requests per second that a rate limit refused, by service and kind of client. Needs rate-limit.",
            "reqps",
            Query(
                f"sum by (service, client_type) ({rate('rate_limit_hits_total', SERVICE)})",
                "{{service}} {{client_type}}",
            ),
        ),
        width=6,
    )
    board.add(
        graph(
            "Share refused",
            "Requests that a rate limit refused, as a share of those answered. Needs rate-limit and http.",
            "percentunit",
            Query(f"service:rate_limit_hits:rate5m{{{SERVICE}}} / {REQUESTS}", "{{service}}"),
            limits=[board.limit("RateLimitTooTight")],
        ),
        width=6,
    )


def _database(board: Board) -> None:
    board.row("Databases (of services that expose database)")
    pool = board.limit("DatabaseConnectionPoolExhausted")
    board.add(
        bars(
            "Connection pools",
            "Share of an instance's connections that are in use; when all are, requests wait. Needs database.",
            "percentunit",
            Query(f"instance_database:db_connection_pool_used:ratio{{{SERVICE}}}", "{{instance}} {{database}}"),
            [pool],
            most=1,
        ),
        width=6,
    )
    board.add(
        graph(
            "Connections in use",
            "The same over time. Needs database.",
            "percentunit",
            Query(f"instance_database:db_connection_pool_used:ratio{{{SERVICE}}}", "{{instance}} {{database}}"),
            limits=[pool],
            most=1,
        ),
        width=6,
    )
    board.add(
        graph(
            "Query time",
            "Time within which 95 % of queries ended. Needs database.",
            "s",
            Query(f"service_database:db_query_duration_seconds:p95_rate5m{{{SERVICE}}}", "{{service}} {{database}}"),
            limits=[board.limit("DatabaseQueriesSlow")],
        ),
        width=6,
    )
    board.add(
        graph(
            "Failed queries",
            "Share of queries that failed. Needs database.",
            "percentunit",
            Query(f"service_database:db_queries_failed:ratio_rate5m{{{SERVICE}}}", "{{service}} {{database}}"),
            limits=[board.limit("DatabaseQueriesFailing")],
        ),
        width=6,
    )


def _cache(board: Board) -> None:
    board.row("Caches (of services that expose cache)")
    board.add(
        graph(
            "Hit rate",
            "Share of look-ups that a cache could answer. Needs cache.",
            "percentunit",
            Query(f"service_cache:cache_hits:ratio_rate5m{{{SERVICE}}}", "{{service}} {{cache_name}}"),
            limits=[board.limit("CacheLowHitRate", below=True)],
            most=1,
        )
    )
    board.add(
        graph(
            "Operation time",
            "Time within which 95 % of a cache's operations ended. Needs cache.",
            "s",
            Query(
                f"service_cache:cache_operation_duration_seconds:p95_rate5m{{{SERVICE}}}", "{{service}} {{cache_name}}"
            ),
            limits=[board.limit("CacheSlow")],
        )
    )
    board.add(
        graph(
            "Failed operations",
            "Share of a cache's operations that failed. Needs cache.",
            "percentunit",
            Query(f"service_cache:cache_operations_failed:ratio_rate5m{{{SERVICE}}}", "{{service}} {{cache_name}}"),
            limits=[board.limit("CacheOperationsFailing")],
        )
    )


def _dependencies(board: Board) -> None:
    board.row("Dependencies (of services that expose dependencies)")
    board.add(
        graph(
            "Failed calls",
            "Share of calls to a dependency that failed or were not answered. Needs dependencies.",
            "percentunit",
            Query(
                f"service_dependency:external_api_calls_failed:ratio_rate5m{{{SERVICE}}}", "{{service}} {{dependency}}"
            ),
            limits=[board.limit("DependencyErrors")],
        )
    )
    board.add(
        graph(
            "Call time",
            "Time within which 95 % of calls to a dependency were answered. Needs dependencies.",
            "s",
            Query(
                f"service_dependency:external_api_duration_seconds:p95_rate5m{{{SERVICE}}}",
                "{{service}} {{dependency}}",
            ),
            limits=[board.limit("DependencySlow")],
        )
    )
    board.add(
        timeline(
            "Circuit breakers",
            "Open: calls are not even tried. Half-open: one is, to see whether it works again. Needs dependencies.",
            Query(f"max by (service, dependency) (circuit_breaker_state{{{SERVICE}}})", "{{service}} {{dependency}}"),
            {0: ("closed", GREEN), 1: ("open", RED), 2: ("half-open", ORANGE)},
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(
        UID,
        TITLE,
        "Latency, traffic, errors and saturation of your services, their databases, caches and dependencies.",
        limits,
        ["services"],
    )
    board.services("service:series_budget:count")
    for part in (_requests, _saturation, _database, _cache, _dependencies):
        part(board)
    return board.build()
