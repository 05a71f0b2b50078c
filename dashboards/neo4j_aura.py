"""Neo4j Aura in three sections, as its console has them: resources, instance, database.

Aura aggregates over the servers of an instance; the largest of what it gives is shown.
"""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, dial, graph, number
from dashboards.style import BLUE, ORANGE, SERVICE, Limit, Query, rate

UID = "neo4j-aura"
TITLE = "Neo4j Aura"
FOLDER = "Databases"
NEEDS = frozenset({"neo4j-aura"})
ONE_OF: frozenset[str] = frozenset()

_CHOSEN = f'{SERVICE}, instance_id=~"$instance_id"'


def _query(expr: str, legend: str = "") -> Query:
    """Aura recommends a scrape a minute, and answers twice a minute at most: windows have to be longer than others'."""
    return Query(expr, legend, every="1m")


def _instance(metric: str) -> str:
    return f"max by (instance_id) ({metric}{{{_CHOSEN}}})"


def _instance_rate(metric: str) -> str:
    return f"max by (instance_id) ({rate(metric, _CHOSEN)})"


def _database(metric: str) -> str:
    return f"max by (instance_id, database) ({metric}{{{_CHOSEN}}})"


def _database_rate(metric: str) -> str:
    return f"max by (instance_id, database) ({rate(metric, _CHOSEN)})"


_CPU = f"instance_id:neo4j_aura_cpu:ratio{{{_CHOSEN}}}"
_DISK = f"instance_id:neo4j_aura_storage:ratio{{{_CHOSEN}}}"
_BY_DATABASE = "{{instance_id}} {{database}}"


def _resources(board: Board) -> None:
    cpu = [board.limit("AuraHighCPUUsage", ORANGE), board.limit("AuraCPUSaturated")]
    disk = [board.limit("AuraStorageLow", ORANGE), board.limit("AuraStorageAlmostFull")]
    board.row("Resources")
    for title, description, expr, limits in (
        ("Processors", "Share of its processor cores that the busiest instance uses.", _CPU, cpu),
        ("Disk space", "Share of its disk space that the fullest instance uses.", _DISK, disk),
    ):
        board.add(dial(title, description, "percentunit", _query(f"max({expr})"), limits), width=4, height=6)
    board.add(
        number(
            "Out of memory errors",
            "Errors for want of memory in the chosen time range; any one of them has ended a query or an instance.",
            "short",
            _query(f"sum(increase(neo4j_aura_out_of_memory_errors_total{{{_CHOSEN}}}[$__range]))"),
            [Limit(1)],
        ),
        width=4,
        height=6,
    )
    board.add(
        bars(
            "Space taken by databases",
            "Space that the store of a database takes.",
            "bytes",
            _query(_database("neo4j_database_store_size_database"), _BY_DATABASE),
            base=BLUE,
        ),
        width=12,
        height=6,
    )
    for title, description, expr, limits in (
        ("Processors in use", "Share of its processor cores that an instance uses.", _CPU, cpu),
        ("Disk space in use", "Share of its disk space that an instance's databases take.", _DISK, disk),
    ):
        query = _query(expr, "{{instance_id}}")
        board.add(graph(title, description, "percentunit", query, limits=limits, most=1), width=12)


def _memory(board: Board) -> None:
    board.row("Instance")
    board.add(
        graph(
            "Heap in use",
            "Share of the heap that is in use.",
            "percentunit",
            _query(_instance("neo4j_dbms_vm_heap_used_ratio"), "{{instance_id}}"),
            limits=[board.limit("HighHeapUsage")],
            most=1,
        )
    )
    board.add(
        graph(
            "Page cache hit ratio",
            "Share of look-ups in the store that were answered from memory. Low: the store does not fit.",
            "percentunit",
            _query(
                f"min by (instance_id) (neo4j_dbms_page_cache_hit_ratio_per_minute{{{_CHOSEN}}})", "{{instance_id}}"
            ),
            limits=[board.limit("LowPageCacheHitRatio", below=True)],
            least=None,
            most=1,
        )
    )
    board.add(
        graph(
            "Page cache",
            "Share of the page cache that is in use.",
            "percentunit",
            _query(_instance("neo4j_dbms_page_cache_usage_ratio"), "{{instance_id}}"),
            most=1,
        )
    )
    board.add(
        graph(
            "Page cache evictions",
            "Pages per second that had to make room for others.",
            "ops",
            _query(_instance_rate("neo4j_dbms_page_cache_evictions_total"), "{{instance_id}}"),
        )
    )
    board.add(
        graph(
            "Bolt connections",
            "Connections of clients that run a query, and those that wait for one.",
            "short",
            _query(_instance("neo4j_dbms_bolt_connections_running"), "{{instance_id}} running"),
            _query(_instance("neo4j_dbms_bolt_connections_idle"), "{{instance_id}} idle"),
        )
    )
    board.add(
        graph(
            "Garbage collection",
            "Share of time in which the instance collects garbage instead of answering, of young and of old objects.",
            "percentunit",
            _query(
                f"{_instance_rate('neo4j_dbms_vm_gc_time_g1_young_generation_total')} / 1000", "{{instance_id}} young"
            ),
            _query(f"{_instance_rate('neo4j_dbms_vm_gc_time_g1_old_generation_total')} / 1000", "{{instance_id}} old"),
        )
    )


def _databases(board: Board) -> None:
    latency = "neo4j_db_query_execution_internal_latency"
    committed = _database_rate("neo4j_database_transaction_committed_total")
    rolled_back = _database_rate("neo4j_database_transaction_rollbacks_total")
    board.row("Database")
    board.add(
        graph(
            "Queries",
            "Queries per second that succeeded and that failed.",
            "ops",
            _query(_database_rate("neo4j_db_query_execution_success_total"), f"{_BY_DATABASE} succeeded"),
            _query(_database_rate("neo4j_db_query_execution_failure_total"), f"{_BY_DATABASE} failed"),
        )
    )
    board.add(
        graph(
            "Query latency",
            "Time within which 50, 75 and 99 % of queries ended.",
            "s",
            *(_query(f"{_database(f'{latency}_q{q}')} / 1000", f"{_BY_DATABASE} p{q}") for q in (50, 75, 99)),
        )
    )
    board.add(
        graph(
            "Open transactions",
            "Transactions that are open, by what they do.",
            "short",
            _query(_database("neo4j_database_transaction_active_read"), f"{_BY_DATABASE} read"),
            _query(_database("neo4j_database_transaction_active_write"), f"{_BY_DATABASE} write"),
        )
    )
    board.add(
        graph(
            "Transactions",
            "Transactions per second that were committed and that were rolled back.",
            "ops",
            _query(committed, f"{_BY_DATABASE} committed"),
            _query(rolled_back, f"{_BY_DATABASE} rolled back"),
        )
    )
    board.add(
        graph(
            "Rolled back",
            "Share of transactions of the last 10 minutes that were rolled back.",
            "percentunit",
            _query(f"instance_id:neo4j_transactions_rolled_back:ratio_rate10m{{{_CHOSEN}}}", _BY_DATABASE),
            limits=[board.limit("HighRollbackRate")],
        )
    )
    board.add(
        graph(
            "Plans and checkpoints",
            "Queries that had to be planned again, and checkpoints, per second.",
            "ops",
            _query(_database_rate("neo4j_database_cypher_replan_events_total"), f"{_BY_DATABASE} planned again"),
            _query(_database_rate("neo4j_database_check_point_events_total"), f"{_BY_DATABASE} checkpoints"),
        )
    )
    board.add(
        graph(
            "Nodes",
            "Nodes in a database.",
            "short",
            _query(_database("neo4j_database_count_node"), _BY_DATABASE),
        ),
        width=12,
        height=6,
    )
    board.add(
        graph(
            "Relationships",
            "Relationships in a database.",
            "short",
            _query(_database("neo4j_database_count_relationship"), _BY_DATABASE),
        ),
        width=12,
        height=6,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Resources, instances and databases of Neo4j Aura.", limits, ["databases"])
    board.services("neo4j_aura_cpu_usage")
    board.filter("instance_id", "Instance", "As Aura names it.", "neo4j_aura_cpu_usage", SERVICE)
    for part in (_resources, _memory, _databases):
        part(board)
    return board.build()
