"""JanusGraph: is it reached, what do queries take and how many fail, does the cache help, how large is the graph."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, number, spread, timeline
from dashboards.style import BLUE, GREEN, RED, SERVICE, Limit, Query, rate

UID = "janusgraph"
TITLE = "JanusGraph"
FOLDER = "Databases"
NEEDS = frozenset({"janusgraph"})
ONE_OF: frozenset[str] = frozenset()

_BUCKETS = rate("janusgraph_query_duration_seconds_bucket", SERVICE)
_ANSWERED = f"sum by (service) ({rate('janusgraph_query_duration_seconds_count', SERVICE)})"
_POOL = (
    f'sum by (service, instance) (janusgraph_connection_pool_connections{{{SERVICE}, state="active"}})'
    f" / sum by (service, instance) (janusgraph_connection_pool_max_connections{{{SERVICE}}} > 0)"
)


def _now(board: Board) -> None:
    board.row("Now")
    board.add(
        number(
            "Connected",
            "1 while every exporter reaches its database, 0 while one does not.",
            "none",
            Query(f"min(janusgraph_connection_status{{{SERVICE}}})"),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=4,
        height=5,
    )
    board.add(
        number("Queries", "Queries per second that were answered.", "ops", Query(f"sum({_ANSWERED})"), base=BLUE),
        width=4,
        height=5,
    )
    board.add(
        number(
            "Vertices",
            "Vertices in the graph.",
            "short",
            Query(f"max(janusgraph_vertices_total{{{SERVICE}}})"),
            base=BLUE,
        ),
        width=4,
        height=5,
    )
    board.add(
        number("Edges", "Edges in the graph.", "short", Query(f"max(janusgraph_edges_total{{{SERVICE}}})"), base=BLUE),
        width=4,
        height=5,
    )
    board.add(
        timeline(
            "Connection",
            "Green while an exporter reaches its database.",
            Query(f"janusgraph_connection_status{{{SERVICE}}}", "{{instance}}"),
            {1: ("connected", GREEN), 0: ("not connected", RED)},
        ),
        height=5,
    )


def _queries(board: Board) -> None:
    board.row("Queries")
    board.add(
        graph(
            "Query latency",
            "Time within which 50, 95 and 99 % of queries were answered.",
            "s",
            *(
                Query(f"histogram_quantile({which}, sum by (le, service) ({_BUCKETS}))", f"{name} {{{{service}}}}")
                for which, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            limits=[board.limit("HighQueryLatency")],
        )
    )
    board.add(
        spread(
            "Where queries spend their time",
            "Queries per second by the time that they took.",
            "s",
            Query(f"sum by (le) ({_BUCKETS})"),
        )
    )
    board.add(
        graph(
            "Failed queries",
            "Share of queries that failed, of those answered and failed together.",
            "percentunit",
            Query(f"service:janusgraph_errors:ratio_rate5m{{{SERVICE}}}", "{{service}}"),
            limits=[board.limit("JanusGraphHighErrorRate")],
        )
    )
    board.add(
        graph(
            "Errors by kind",
            "Errors per second, by what went wrong.",
            "ops",
            Query(f"sum by (error_type) ({rate('janusgraph_errors_total', SERVICE)})", "{{error_type}}"),
            stacked=True,
        )
    )
    board.add(
        graph(
            "Cache hit rate",
            "Share of look-ups that a cache could answer.",
            "percentunit",
            Query(f"service_cache:janusgraph_cache_hits:ratio_rate10m{{{SERVICE}}}", "{{service}} {{cache}}"),
            limits=[board.limit("LowCacheHitRate", below=True)],
            most=1,
        )
    )
    board.add(
        graph(
            "Connections to the storage backend",
            "Share of the connections that there may be that are in use.",
            "percentunit",
            Query(_POOL, "{{instance}}"),
            limits=[board.limit("ConnectionPoolExhausted")],
            most=1,
        )
    )


def _contents(board: Board) -> None:
    board.row("Graph")
    board.add(
        bars(
            "Vertices by label",
            "The ten labels with the most vertices.",
            "short",
            Query(f"topk(10, max by (label) (janusgraph_vertex_labels_count{{{SERVICE}}}))", "{{label}}"),
            base=BLUE,
        ),
        width=12,
    )
    board.add(
        bars(
            "Edges by label",
            "The ten labels with the most edges.",
            "short",
            Query(f"topk(10, max by (label) (janusgraph_edge_labels_count{{{SERVICE}}}))", "{{label}}"),
            base=BLUE,
        ),
        width=12,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Connection, queries, cache and contents of JanusGraph.", limits, ["databases"])
    board.services("janusgraph_connection_status")
    for part in (_now, _queries, _contents):
        part(board)
    return board.build()
