"""Cassandra: local reads and writes, compactions that keep up or do not, and what nodes lose between each other."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, number
from dashboards.style import BLUE, GREEN, ORANGE, RED, SERVICE, Limit, Query, rate

UID = "cassandra"
TITLE = "Cassandra"
FOLDER = "Databases"
NEEDS = frozenset({"cassandra"})
ONE_OF: frozenset[str] = frozenset()

_NODES = f"instance:cassandra_node_up:last{{{SERVICE}}}"


def _of(series: str, operation: str) -> str:
    return f'{series}{{{SERVICE}, operation="{operation}"}}'


def _now(board: Board) -> None:
    board.row("Now")
    board.add(
        number("Nodes up", "Nodes that answer.", "short", Query(f"sum({_NODES})"), [Limit(1, GREEN)], base=RED),
        width=4,
        height=5,
    )
    board.add(
        number(
            "Nodes down",
            "Nodes that do not answer.",
            "short",
            Query(f"count({_NODES} == 0) or vector(0)"),
            [Limit(1, ORANGE), board.limit("CassandraQuorumAtRisk")],
        ),
        width=4,
        height=5,
    )
    board.add(
        number(
            "Clients",
            "Clients that are connected to any node.",
            "short",
            Query(f"sum(cassandra_client_connectednativeclients{{{SERVICE}}})"),
            base=BLUE,
        ),
        width=4,
        height=5,
    )
    board.add(
        number(
            "Compactions waiting",
            "Compactions that wait, on the node with the most.",
            "short",
            Query(f"max(cassandra_compaction_pendingtasks{{{SERVICE}}})"),
            [board.limit("CassandraCompactionBehind")],
        ),
        width=4,
        height=5,
    )
    board.add(
        number(
            "Messages dropped",
            "Messages between nodes that came too late and were dropped, in the chosen time range.",
            "short",
            Query(f"sum(increase(cassandra_droppedmessage_dropped_count{{{SERVICE}}}[$__range]))"),
            [Limit(1)],
        ),
        width=4,
        height=5,
    )
    board.add(
        bars(
            "Data by node",
            "Bytes of data on a node: nodes of one size should hold about the same.",
            "bytes",
            Query(f"cassandra_storage_load_count{{{SERVICE}}}", "{{instance}}"),
            base=BLUE,
        ),
        width=4,
        height=5,
    )


def _reads_and_writes(board: Board) -> None:
    board.row("Reads and writes")
    for operation, title in (("read", "Read latency"), ("write", "Write latency")):
        board.add(
            graph(
                title,
                f"Time within which 99 % of local {operation}s ended, by keyspace, on its slowest node.",
                "s",
                Query(_of("keyspace:cassandra_latency_seconds:p99", operation), "{{service}} {{keyspace}}"),
                limits=[board.limit("HighCassandraLatency")],
            )
        )
    board.add(
        graph(
            "Operations",
            "Local reads and writes per second, by keyspace.",
            "ops",
            *(
                Query(_of("keyspace:cassandra_operations:rate5m", operation), f"{{{{keyspace}}}} {operation}s")
                for operation in ("read", "write")
            ),
        )
    )


def _compaction(board: Board) -> None:
    board.row("Compaction and threads")
    board.add(
        graph(
            "Compactions waiting over time",
            "Growing for hours, reads get slower and slower.",
            "short",
            Query(f"cassandra_compaction_pendingtasks{{{SERVICE}}}", "{{instance}}"),
            limits=[board.limit("CassandraCompactionBehind")],
        )
    )
    board.add(
        graph(
            "Bytes compacted",
            "Bytes per second that compaction reads.",
            "Bps",
            Query(rate("cassandra_compaction_bytescompacted_count", SERVICE), "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Tasks waiting for a thread",
            "By pool; a queue of reads or writes is a node that cannot keep up.",
            "short",
            Query(f"sum by (threadpools) (cassandra_threadpools_pendingtasks{{{SERVICE}}}) > 0", "{{threadpools}}"),
        )
    )


def _losses(board: Board) -> None:
    dropped = f"increase(cassandra_droppedmessage_dropped_count{{{SERVICE}}}[10m])"
    board.row("What gets lost")
    board.add(
        graph(
            "Messages dropped by kind",
            "Messages that came too late to be handled, by kind, in 10 minutes.",
            "short",
            Query(f"sum by (service, team, droppedmessage) ({dropped})", "{{service}} {{droppedmessage}}"),
            limits=[board.limit("CassandraMessagesDropped")],
        )
    )
    board.add(
        graph(
            "Hints written",
            "Hints per second that a node keeps for another that it cannot reach.",
            "ops",
            Query(rate("cassandra_storage_totalhints_count", SERVICE), "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Unexpected errors",
            "Errors per second that Cassandra did not expect.",
            "ops",
            Query(rate("cassandra_storage_exceptions_count", SERVICE), "{{instance}}"),
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Reads, writes, compaction and losses of Cassandra nodes.", limits, ["databases"])
    board.services("cassandra_storage_load_count")
    for part in (_now, _reads_and_writes, _compaction, _losses):
        part(board)
    return board.build()
