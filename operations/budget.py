"""What questions may cost a server, in samples that it has to look at: known before, counted while asking."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from operations.errors import CommandError
from operations.http import Endpoint
from operations.running import CheckFailed

PAUSE = 1.0
"""Times as long as a question took, nothing is asked after it: half of one core at most."""


_SUBQUERY = re.compile(r"\[[^\]\"]*:[^\]\"]*\]")


class TooMuch(Exception):
    """The budget does not allow for the next question."""


class Heavy(Exception):
    """The server refuses a question as too heavy: a shorter one may pass."""


@dataclass
class Budget:
    """Asks one question at a time. `limit` and `spent` are samples; `timeout` (of one) and `asking` are seconds."""

    server: Endpoint
    limit: int
    timeout: float
    spent: int = 0
    queries: int = 0
    asking: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    counts_samples: bool = True
    """Whether the server says what it looked at. Where it does not, it is worked out."""
    scrape_interval: float = 15.0
    """Seconds between two samples of a series; used only to work out costs."""
    _series: dict[str, int] = field(default_factory=dict)

    def ask(self, path: str, expected: float, query: str, **parameters: str) -> tuple[list[dict[str, Any]], int]:
        """The result and its cost. Raises TooMuch before, Heavy after; CommandError for anything else."""
        if self.spent + expected > self.limit:
            raise TooMuch
        start = time.monotonic()
        try:
            # Thanos: raw samples alone, and of all stores. VictoriaMetrics: nothing remembered.
            data = self.server.prometheus_by_form(
                path,
                query=query,
                stats="all",
                timeout=f"{self.timeout:g}s",
                max_source_resolution="0s",
                partial_response="false",
                nocache="1",
                **parameters,
            )
        except CheckFailed as error:
            if error.status in (422, 503) or (not error.status and "in time" in error.detail):
                self.spent += int(expected)  # what it has cost until it was given up is not told
                raise Heavy(error.detail) from None
            raise CommandError(error.detail, error.remedy) from None
        finally:
            took = time.monotonic() - start
            self.queries, self.asking = self.queries + 1, self.asking + took
        counted = _counted((data.get("stats") or {}).get("samples") or {}, query)
        self.counts_samples = counted is not None
        cost = int(expected if counted is None else counted)
        self.spent += cost
        self.sleep(took * PAUSE)
        return data["result"], cost

    def worked_out(self, expression: str, at: float) -> float:
        """Samples of one evaluation by the number of series of each selector, as Prometheus counts them."""
        return self._cost(promql.parse(expression), at)

    def _cost(self, node: Any, at: float) -> float:
        if isinstance(node, promql.MatrixSelector):
            length = node.range.total_seconds() if node.range else 0.0
            each = max(1.0, length / self.scrape_interval)
            return each * self._cost(node.vector_selector, at)
        if isinstance(node, promql.VectorSelector):
            bare = re.split(r"(?<=}) (?:offset|@) ", str(node))[0]
            if bare not in self._series:
                self._series[bare] = 0  # so that the question itself is not worked out again
                found, _ = self.ask("/api/v1/query", 0, f"count({bare})", time=f"{at:.3f}")
                self._series[bare] = int(float(found[0]["value"][1])) if found else 0
            return float(self._series[bare])
        times = 1.0
        if isinstance(node, promql.SubqueryExpr):
            step = node.step.total_seconds() if node.step else self.scrape_interval
            # Servers may do better, by looking at each sample once for all evaluations.
            times = max(1.0, node.range.total_seconds() / step) if node.range else 1.0
        parts = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param")]
        parts += list(getattr(node, "args", None) or ())
        return times * sum(self._cost(part, at) for part in parts if isinstance(part, promql.Expr))


def _counted(told: Mapping[str, int], query: str) -> int | None:
    """What the server says that it looked at; None where that is not told, or without what is below subqueries.

    Prometheus before 3.8 leaves these out; newer ones tell them as `samplesRead`.
    """
    if "totalQueryableSamples" not in told or ("samplesRead" not in told and _SUBQUERY.search(query)):
        return None
    return max(told["totalQueryableSamples"], told.get("samplesRead", 0))
