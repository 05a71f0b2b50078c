"""Which datasource a reference in a dashboard means, and what it is here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

VARIABLE = "datasource"
BUILT_IN = {"grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --", "__expr__", "mixed", "datasource"}
_OWN = {"jaeger": "jaeger", "alertmanager": "alertmanager"}
_PROMETHEUS = re.compile(r"prom|thanos|mimir|cortex|victoria|metrics|^default$|^influxdb-prom", re.IGNORECASE)
_OTHERS: tuple[str, ...] = (
    "loki",
    "elasticsearch",
    "influxdb",
    "graphite",
    "cloudwatch",
    "tempo",
    "zipkin",
    "mysql",
    "postgres",
)
_OTHERS += ("opentsdb", "mssql", "datadog", "azure", "stackdriver", "opensearch", "testdata", "zabbix", "clickhouse")


class Datasources:
    """The datasources of one dashboard, by the names that its parts call them."""

    def __init__(self, board: Mapping[str, Any]) -> None:
        self._types: dict[str, str] = {}
        for each in _listed(board.get("__inputs")):
            if each.get("type") == "datasource":
                self._types[str(each.get("name"))] = str(each.get("pluginId"))
        variables = _listed(
            (board.get("templating") or {}).get("list") if isinstance(board.get("templating"), dict) else ()
        )
        self.variable = ""
        for each in variables:
            if each.get("type") == "datasource":
                kind = str(each.get("query"))
                self._types[str(each.get("name"))] = kind
                if kind == "prometheus" and not self.variable:
                    self.variable = str(each.get("name"))
        self.made = not self.variable
        """Whether the dashboard has to get the variable first."""
        self.variable = self.variable or VARIABLE

    def type_of(self, reference: Any) -> str:
        """The kind of datasource that a reference means; nothing said means Prometheus, the default here."""
        if isinstance(reference, Mapping):
            kind, uid = str(reference.get("type") or ""), str(reference.get("uid") or "")
            if uid in BUILT_IN or kind in BUILT_IN:
                return "built-in"
            named = self._named(uid)
            return named or kind or self._guessed(uid)
        if reference in (None, "", "default"):
            return "prometheus"
        text = str(reference)
        if text in BUILT_IN:
            return "built-in"
        return self._named(text) or self._guessed(text)

    def _named(self, text: str) -> str:
        return self._types.get(text.removeprefix("$").strip("{}").split(":", maxsplit=1)[0], "")

    def _guessed(self, text: str) -> str:
        """By its name, as old dashboards say nothing else."""
        lower = text.lower()
        other = next((each for each in _OTHERS if each in lower), "")
        if other and not _PROMETHEUS.search(text):
            return other
        return "prometheus"

    def here(self, kind: str) -> dict[str, str] | None:
        """The reference to a datasource of this kind in the stack; None where it has none."""
        if kind == "prometheus":
            return {"type": "prometheus", "uid": f"${{{self.variable}}}"}
        return {"type": kind, "uid": _OWN[kind]} if kind in _OWN else None

    def definition(self) -> dict[str, Any]:
        """The variable that chooses the Prometheus, for dashboards that have none."""
        return {
            "name": VARIABLE,
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "options": [],
            "current": {},
            "regex": "",
        }


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in (value if isinstance(value, list) else ()) if isinstance(each, Mapping))
