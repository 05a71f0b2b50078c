"""Datadog's dashboards: title, variables and the places of panels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from operations.migrate import names
from operations.migrate.datadog.table import label
from operations.migrate.datadog.widgets import SOURCE, panels
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_WIDTH, _COLUMNS = 12, 24


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
    board["panels"] = Layout().placed(panels(bundle, node, tags))
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
            "datasource": SOURCE,
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
