"""Datadog's dashboards: each widget a panel, or a note in its place that says why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from operations.migrate import names
from operations.migrate.datadog.queries import Unreadable, parse_queries
from operations.migrate.datadog.table import label
from operations.migrate.datadog.translate import CannotTranslate, Translation
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
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _COLUMNS = 12, 24
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


def migrate_dashboard(bundle: Bundle, root: Node, folder: str) -> None:
    """One export of a dashboard."""
    report = bundle.report
    node = root
    if isinstance(root.value, dict) and isinstance(root.value.get("dashboard"), dict):
        node = Node(root.file, ("dashboard",), root.value["dashboard"])
    data = node.value
    if not isinstance(data, dict) or not isinstance(data.get("widgets", data.get("graphs")), list):
        report.impossible(root, "dashboard", root.file, "it is no dashboard of Datadog: it has no widgets")
        return
    title = str(data.get("title") or data.get("board_title") or root.file.rsplit("/", 1)[-1].removesuffix(".json"))
    variables = _variables(bundle, node)
    board: dict[str, Any] = {"title": title, "editable": True, "schemaVersion": 39, "refresh": "1m"}
    board |= {"description": str(data["description"])[:1000]} if data.get("description") else {}
    board |= {"tags": ["datadog"], "time": {"from": "now-4h", "to": "now"}, "annotations": {"list": []}}
    board["templating"] = {"list": [_chooser(), *variables.values()]}
    tags = {name: str(each["datadog_tag"]) for name, each in variables.items()}
    for each in variables.values():
        del each["datadog_tag"]
    board["panels"] = Layout().placed(_panels(bundle, node, tags))
    bundle.add_dashboard(folder, board, root.file)
    told = ("widgets", "graphs", "template_variables")
    report.carried(
        node, "dashboard", title, f"{folder}, uid {board['uid']}", tuple(key for key in data if key not in told)
    )
    report.rest(root, "is no part of a dashboard")


class Layout:
    """Places of panels in Grafana's 24 columns; where Datadog gives none, one after the other."""

    def __init__(self) -> None:
        self._left = self._top = self._height = 0
        self._id = 0

    def placed(self, panels: list[tuple[dict[str, Any], Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """The panels with places and ids; those of a group below its row."""
        found: list[dict[str, Any]] = []
        for panel, layout in panels:
            inner = panel.pop("inside", None)
            width, height = (24, 1) if panel["type"] == "row" else self._size(panel, layout)
            if self._left + width > _COLUMNS:
                self._down()
            self._id += 1
            place = {"x": self._left, "y": self._top, "w": width, "h": height}
            found.append({**panel, "id": self._id, "gridPos": place})
            self._left, self._height = self._left + width, max(self._height, height)
            if inner is not None:
                self._down()
                found += self.placed(inner)
                self._down()
        return found

    def _down(self) -> None:
        self._left, self._top, self._height = 0, self._top + self._height, 0

    def _size(self, panel: Mapping[str, Any], layout: Mapping[str, Any]) -> tuple[int, int]:
        width, height = layout.get("width"), layout.get("height")
        if isinstance(width, int) and isinstance(height, int) and 0 < width <= _WIDTH:
            return min(_COLUMNS, 2 * width), max(3, min(40, 2 * height))
        return (6, 6) if panel["type"] in ("stat", "text") else (12, 8)


def _chooser() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}


def _variables(bundle: Bundle, node: Node) -> dict[str, dict[str, Any]]:
    """Template variables as variables of Grafana, with the values that series have now."""
    found: dict[str, dict[str, Any]] = {}
    listed = node.get("template_variables")
    for each in listed.items() if listed else ():
        data = each.value if isinstance(each.value, dict) else {}
        name = str(data.get("name") or "")
        if not name or name in found:
            bundle.report.impossible(each, "variable", name or each.place, "it has no name of its own")
            continue
        tag = str(data.get("prefix") or name)
        default = data.get("default") or next(iter(data.get("defaults") or ()), "*")
        everything = default in ("*", "", None)
        current = (
            {"text": ["All"], "value": ["$__all"]} if everything else {"text": [str(default)], "value": [str(default)]}
        )
        found[name] = {
            "name": names.label(name),
            "label": name,
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": f"label_values({label(tag)})", "refId": "values"},
            "definition": f"label_values({label(tag)})",
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "current": current,
            "datadog_tag": tag,
        }
        differences = [f"chooses the label {label(tag)}"]
        differences += ["offers all values, not the listed ones"] if data.get("available_values") else []
        bundle.report.judged(each, "variable", name, differences[1:], differences[0])
    return found


def _panels(bundle: Bundle, node: Node, variables: Mapping[str, str]) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
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
            found.append((row | {"inside": _panels(bundle, inner, variables)}, layout or {}))
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
            "datasource": _SOURCE,
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
    panel: dict[str, Any] = {"type": kind, "title": title, "datasource": _SOURCE, "targets": targets}
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
