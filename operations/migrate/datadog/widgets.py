"""Datadog's widgets: each a panel, or a note in its place that says why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from operations.migrate.datadog.queries import Unreadable, parse_queries
from operations.migrate.datadog.scopes import CannotTranslate
from operations.migrate.datadog.translate import Translation
from operations.migrate.grafana.panels import note_in_place
from operations.migrate.grafana.queries import problem
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_KINDS = {
    "timeseries": "timeseries",
    "query_value": "stat",
    "toplist": "bargauge",
    "query_table": "table",
    "table": "table",
    "heatmap": "timeseries",
    "distribution": "timeseries",
    "change": "stat",
    "treemap": "piechart",
    "sunburst": "piechart",
    "bar_chart": "bargauge",
}
_TEXTS = ("note", "free_text", "image", "iframe")
_INSTANT = ("stat", "bargauge", "table", "piechart")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_ELSEWHERE = {
    **dict.fromkeys(("log_stream", "list_stream"), "lists of logs and events have no source here"),
    **dict.fromkeys(("event_stream", "event_timeline"), "events are not collected here"),
    **dict.fromkeys(
        ("alert_graph", "alert_value", "manage_status", "monitor_summary"), "alerts have a dashboard of the product"
    ),
    **dict.fromkeys(("slo", "slo_list"), "objectives have a dashboard of the product"),
    **dict.fromkeys(("servicemap", "topology_map", "trace_service"), "Jaeger shows this"),
}
_SILENT = {"type", "title", "title_size", "title_align", "requests", "show_legend", "legend_size", "legend_layout"}
_SILENT |= {"legend_columns", "time", "autoscale", "precision", "text_align", "custom_unit", "yaxis", "xaxis", "style"}
_SILENT |= {"has_search_bar", "layout_type", "widgets", "background_color", "banner_img", "show_title", "description"}


def panels(bundle: Bundle, node: Node, variables: Mapping[str, str]) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
    found = []
    listed = node.get("widgets") or node.get("graphs")
    for each in listed.items() if listed else ():
        data = each.value if isinstance(each.value, dict) else {}
        inner = each.get("definition")
        layout = data.get("layout") if isinstance(data.get("layout"), dict) else {}
        if inner is None or not isinstance(inner.value, dict):
            bundle.report.impossible(each, "widget", each.place, "it has no definition")
            continue
        kind = str(inner.value.get("type") or inner.value.get("viz") or "")
        title = str(inner.value.get("title") or data.get("title") or kind)
        if kind in ("group", "powerpack") and inner.get("widgets"):
            # The group itself is one item, and each widget in it.
            bundle.report.carried(each, "group", title, keys=tuple(key for key in data if key != "definition"))
            keys = tuple(key for key in inner.value if key != "widgets")
            bundle.report.carried(inner, "group settings", title, "is a row", keys=keys)
            row = {"type": "row", "title": title, "collapsed": False, "panels": []}
            found.append((row | {"inside": panels(bundle, inner, variables)}, layout or {}))
            continue
        found.append((_widget(bundle, each, inner.value, kind, title, variables), layout or {}))
    return found


def _widget(
    bundle: Bundle, node: Node, data: Mapping[str, Any], kind: str, title: str, variables: Mapping[str, str]
) -> dict[str, Any]:
    """One panel, reported."""
    report = bundle.report
    if kind in _TEXTS:
        return _note(bundle, node, data, kind, title)
    if kind not in _KINDS:
        why = _ELSEWHERE.get(kind, f"widgets of type {kind} have none like them here")
        report.impossible(node, "widget", title, why, "a note stands in its place")
        return note_in_place({"title": title, "type": kind}, why)
    translation = Translation(window="$__rate_interval", variables=variables)
    requests = data.get("requests")
    listed = list(requests.values()) if isinstance(requests, dict) else requests if isinstance(requests, list) else []
    targets: list[dict[str, Any]] = []
    lost: list[str] = []
    for request in listed:
        if isinstance(request, dict):
            _request(request, kind, translation, targets, lost)
    if not targets:
        why = "; ".join(dict.fromkeys(lost)) or "it has no query"
        report.impossible(node, "widget", title, why, "a note stands in its place")
        return note_in_place({"title": title, "type": kind}, why)
    differences = [*(f"without a query: {why}" for why in dict.fromkeys(lost)), *translation.differences]
    if kind in ("heatmap", "distribution", "treemap", "sunburst", "change"):
        differences.append(f"{kind} became {_KINDS[kind]}")
    left = [key for key in data if key not in _SILENT and data[key] not in (None, "", [], {}, False)]
    if left:
        differences.append(f"without {', '.join(map(str, left))}")
    report.judged(node, "widget", title, differences)
    return _panel(_KINDS[kind], title, data, targets)


def _request(
    request: Mapping[str, Any], kind: str, translation: Translation, targets: list[dict[str, Any]], lost: list[str]
) -> None:
    """The queries of one request, of the old form (`q`) or the new (`queries` with `formulas`)."""
    trees: list[tuple[Any, str]] = []
    try:
        if isinstance(request.get("q"), str):
            trees = [(tree, "") for tree in parse_queries(request["q"])]
        elif isinstance(request.get("queries"), list):
            named = _named(request["queries"], lost)
            formulas = [each for each in request.get("formulas") or () if isinstance(each, dict)]
            translation.queries = named
            for each in formulas:
                trees += [(tree, str(each.get("alias") or "")) for tree in parse_queries(str(each.get("formula")))]
            trees = trees or [(tree, "") for tree in named.values()]
        else:
            other = next((key.removesuffix("_query") for key in request if key.endswith("_query")), "")
            lost.append(f"it asks for {other}, of which nothing is collected here" if other else "it has no query")
    except Unreadable as error:
        lost.append(str(error))
        return
    for tree, alias in trees:
        try:
            expression = translation.expression(tree)
        except CannotTranslate as error:
            if not lost or "it names" not in str(error):  # a query that is lost already has said why
                lost.append(str(error))
            continue
        if wrong := problem(expression):
            lost.append(f"{expression} is none of PromQL: {wrong}")
            continue
        if kind == "toplist" and not re.match(r"(topk|bottomk)\(", expression):
            expression = f"topk(10, {expression})"
        legend = alias or (" ".join(f"{{{{{each}}}}}" for each in translation.labels) or "__auto")
        target: dict[str, Any] = {
            "refId": _letters(len(targets)),
            "expr": expression,
            "legendFormat": legend,
            "datasource": SOURCE,
        }
        instant = _KINDS[kind] in _INSTANT
        target |= {"instant": instant, "range": not instant}
        target |= {"format": "table"} if _KINDS[kind] == "table" else {}
        targets.append(target)


def _named(queries: list[Any], lost: list[str]) -> dict[str, Any]:
    """Name to tree of the metric queries; of logs, spans and the like nothing is collected."""
    found: dict[str, Any] = {}
    for number, each in enumerate(queries):
        if not isinstance(each, dict):
            continue
        source = str(each.get("data_source") or "metrics")
        name = str(each.get("name") or f"query{number + 1}")
        if source != "metrics" or not isinstance(each.get("query"), str):
            lost.append(f"it asks for {source}, of which nothing is collected here")
            continue
        found[name] = parse_queries(each["query"])[0]
    return found


def _letters(number: int) -> str:
    return chr(65 + number) if number < 26 else f"Q{number}"


def _panel(kind: str, title: str, data: Mapping[str, Any], targets: list[dict[str, Any]]) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    axis = data.get("yaxis") if isinstance(data.get("yaxis"), dict) else {}
    for key in ("min", "max"):
        if re.fullmatch(r"-?\d+(\.\d+)?", str((axis or {}).get(key, ""))):
            defaults[key] = float((axis or {})[key])
    if isinstance(data.get("precision"), int):
        defaults["decimals"] = data["precision"]
    if kind == "timeseries":
        first = (
            next((each for each in data.get("requests") or () if isinstance(each, dict)), {})
            if isinstance(data.get("requests"), list)
            else {}
        )
        bars = {"bars": "bars", "area": "line", "line": "line"}.get(str(first.get("display_type")), "line")
        defaults["custom"] = {"drawStyle": bars, "fillOpacity": 30 if first.get("display_type") == "area" else 5}
    panel: dict[str, Any] = {"type": kind, "title": title, "datasource": SOURCE, "targets": targets}
    panel |= {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": {}}
    if kind in ("stat", "bargauge", "piechart"):
        panel["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel


def _note(bundle: Bundle, node: Node, data: Mapping[str, Any], kind: str, title: str) -> dict[str, Any]:
    """Text stays text; a picture or another page becomes a link to it."""
    if kind in ("note", "free_text"):
        text = str(data.get("content") or data.get("text") or "")
        bundle.report.carried(node, "widget", title)
    else:
        text = f"[{title}]({data.get('url', '')})"
        bundle.report.approximated(node, "widget", title, f"{kind} became a link")
    return {"type": "text", "title": "" if title == kind else title, "options": {"mode": "markdown", "content": text}}
