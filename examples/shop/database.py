"""Database pattern: the pool shows its connections, and every query its time and its errors."""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from examples.shop.tracing import exemplar


class PoolExhausted(Exception):
    """No connection came free in time."""


# region: database-metrics
class DatabaseMetrics:
    """`operation` and `table` come from the code, never from the text of a query: that would hold values."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "db_query_duration_seconds",
            "Time of a query, without the wait for a connection.",
            ["operation", "table", "database", "status"],
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.errors = Counter(
            "db_query_errors_total", "Queries that failed.", ["operation", "error_type"], registry=registry
        )
        self.pool = Gauge("db_connection_pool_size", "Connections.", ["state", "database"], registry=registry)


# endregion: database-metrics


# region: database
class Database:
    """A pool of connections to one SQLite database in memory, which lives as long as the pool does."""

    def __init__(self, metrics: DatabaseMetrics, name: str, size: int = 10, patience: float = 0.5) -> None:
        self._metrics, self._name, self._patience = metrics, name, patience
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        for _ in range(size):
            uri = f"file:{name}-{id(self)}?mode=memory&cache=shared"
            self._idle.put(sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None))
        metrics.pool.labels("total", name).set(size)
        metrics.pool.labels("idle", name).set_function(self._idle.qsize)
        metrics.pool.labels("active", name).set_function(lambda: size - self._idle.qsize())
        for operation in ("select", "insert", "update"):
            metrics.errors.labels(operation, PoolExhausted.__name__)
            metrics.errors.labels(operation, sqlite3.OperationalError.__name__)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own for a while; `PoolExhausted` when none comes free in time."""
        try:
            taken = self._idle.get(timeout=self._patience)
        except queue.Empty:
            raise PoolExhausted(f"no connection to {self._name} within {self._patience} s") from None
        try:
            yield taken
        finally:
            self._idle.put(taken)

    def query(self, operation: str, table: str, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with trace.get_tracer(__name__).start_as_current_span(f"{operation} {table}", kind=SpanKind.CLIENT) as span:
            span.set_attribute("db.system.name", "sqlite")
            try:
                with self.connection() as connection, self._timed(operation, table):
                    return connection.execute(sql, values).fetchall()
            except (sqlite3.Error, PoolExhausted) as error:
                self._metrics.errors.labels(operation, type(error).__name__).inc()
                raise

    @contextmanager
    def _timed(self, operation: str, table: str) -> Iterator[None]:
        begin, status = time.perf_counter(), "error"
        try:
            yield
            status = "success"
        finally:
            duration = self._metrics.duration.labels(operation, table, self._name, status)
            duration.observe(time.perf_counter() - begin, exemplar())


# endregion: database
