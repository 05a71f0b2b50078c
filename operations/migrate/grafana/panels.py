"""Panels: today's kinds are kept, those of old are turned into them, others become a note in their place."""

from __future__ import annotations

import copy
from typing import Any

from operations.migrate.grafana.datasources import Datasources
from operations.migrate.grafana.old_kinds import CURRENT, converted
from operations.migrate.grafana.queries import problem

KNOWN = {
    *("timeseries", "stat", "gauge", "bargauge", "table", "text", "row", "heatmap", "histogram", "piechart", "logs"),
    *("state-timeline", "status-history", "barchart", "trend", "xychart", "candlestick", "canvas", "geomap", "news"),
    *(
        "nodeGraph",
        "flamegraph",
        "traces",
        "dashlist",
        "alertlist",
        "annolist",
        "welcome",
        "gettingstarted",
        "datagrid",
    ),
}
"""Kinds that Grafana itself brings."""


def note_in_place(panel: dict[str, Any], why: str) -> dict[str, Any]:
    """A panel of text where another cannot be, so that its place in the dashboard says so."""
    title = panel.get("title") or panel.get("type") or "Panel"
    content = f"**{title}** could not be migrated: {why}."
    kept: dict[str, Any] = {
        key: copy.deepcopy(panel[key]) for key in ("id", "gridPos", "span", "height") if key in panel
    }
    return {**kept, "type": "text", "title": str(title), "options": {"mode": "markdown", "content": content}}


def migrated(
    panel: dict[str, Any], sources: Datasources, plugins: dict[str, str]
) -> tuple[dict[str, Any], list[str], str]:
    """The panel as it is here, what differs, and, where it cannot be, why."""
    kind = str(panel.get("type") or "")
    made = copy.deepcopy(panel)
    differences: list[str] = []
    if kind == "table" and "styles" in panel and "fieldConfig" not in panel:
        kind = made["type"] = "table-old"
    if kind in CURRENT:
        made, differences = converted(made)
        kind = made["type"]
    if not kind:
        return note_in_place(panel, "it has no type"), [], "it has no type"
    if why := _asked_elsewhere(made, sources, differences):
        return note_in_place(panel, why), [], why
    if kind not in KNOWN:
        version = plugins.get(kind)
        differences.append(f"needs the plugin {kind}: add it to grafana.plugins, such as {kind}@{version or '1.0.0'}")
    for target in made.get("targets") or ():
        if isinstance(target, dict) and isinstance(target.get("expr"), str) and (why := problem(target["expr"])):
            differences.append(f"query {target.get('refId', '')} cannot be read, and is kept as it was: {why}")
    if made.pop("alert", None) is not None:
        differences.append("its alert is left out: rules are Prometheus' own here")
    return made, differences, ""


def _asked_elsewhere(panel: dict[str, Any], sources: Datasources, differences: list[str]) -> str:
    """Point a panel and its queries to this stack's datasources; returns why that cannot be."""
    whole = sources.type_of(panel.get("datasource"))
    targets = [target for target in panel.get("targets") or () if isinstance(target, dict)]
    if not targets and panel.get("type") in ("text", "row", "dashlist", "news", "alertlist", "annolist", "welcome"):
        panel.pop("datasource", None)
        return ""
    missing: list[str] = []
    kept = []
    for target in targets:
        kind = sources.type_of(target.get("datasource")) if target.get("datasource") is not None else whole
        if kind == "built-in":
            kept.append(target)
            continue
        here = sources.here(kind)
        if here is None or (kind == "prometheus" and "expr" not in target and _foreign(target)):
            missing.append(kind if here is None else _foreign(target))
            continue
        kept.append(
            target | ({"datasource": here} if target.get("datasource") is not None or whole == "built-in" else {})
        )
    if targets:
        panel["targets"] = kept
    here = sources.here(whole)
    if targets and not kept:
        return f"it asks {', '.join(dict.fromkeys(missing))}, which this stack has not"
    if missing:
        differences.append(f"without its queries of {', '.join(dict.fromkeys(missing))}, which this stack has not")
    if whole != "built-in":
        if here is None and not targets:
            return f"it asks {whole}, which this stack has not"
        panel["datasource"] = here or sources.here("prometheus")
    return ""


def _foreign(target: dict[str, Any]) -> str:
    """The other system that a query's own keys speak of, where nothing else does; empty for none."""
    for key, system in (
        ("measurement", "influxdb"),
        ("target", "graphite"),
        ("rawSql", "SQL"),
        ("metricName", "cloudwatch"),
        ("bucketAggs", "elasticsearch"),
    ):
        if target.get(key):
            return system
    return ""
