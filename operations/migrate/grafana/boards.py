"""A dashboard's JSON as the user's own dashboard: every panel, variable and mark of it is one item of the report."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from operations.migrate import names
from operations.migrate.grafana.datasources import Datasources
from operations.migrate.grafana.panels import migrated, note_in_place
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_DROPPED = ("id", "version", "iteration", "__inputs", "__requires", "__elements", "gnetId", "meta")
_PROVISIONED = ("panels", "rows", "templating", "annotations")
_ROW_HEIGHT, _COLUMNS, _PIXELS = 8, 24, 30
"""Of Grafana's grid: usual height of a panel, columns, and pixels of a unit of height."""


def migrate_board(bundle: Bundle, root: Node, folder: str) -> None:
    """One file: a dashboard as Grafana exports it, or as its API answers."""
    report = bundle.report
    node = root
    if isinstance(root.value, dict) and isinstance(root.value.get("dashboard"), dict):
        node = Node(root.file, ("dashboard",), root.value["dashboard"])
    data = node.value
    if isinstance(data, dict) and (("spec" in data and "apiVersion" in data) or "elements" in data):
        why = "it is of the new schema of dashboards, which Grafana's provisioning here does not take"
        report.impossible(root, "dashboard", root.file, why, "export it from Grafana in the classic model")
        return
    if not isinstance(data, dict) or not ({"panels", "rows", "templating"} & {*data}):
        report.impossible(root, "dashboard", root.file, "it is no dashboard: it has neither panels nor rows")
        return
    title = str(data.get("title") or root.file.rsplit("/", 1)[-1].removesuffix(".json"))
    sources = Datasources(data)
    plugins = {
        str(each.get("id")): str(each.get("version"))
        for each in data.get("__requires") or ()
        if isinstance(each, dict) and each.get("type") == "panel" and each.get("version")
    }
    made = {key: copy.deepcopy(value) for key, value in data.items() if key not in (*_DROPPED, *_PROVISIONED)}
    made["title"], made["editable"] = title, True
    made["panels"] = [*_panels(bundle, node, sources, plugins), *_rows(bundle, node, sources, plugins)]
    made["templating"] = {"list": _variables(bundle, node, sources)}
    made["annotations"] = {"list": _annotations(bundle, node, sources)}
    made["schemaVersion"] = max(int(data["schemaVersion"]), 16) if str(data.get("schemaVersion", "")).isdigit() else 16
    _everywhere(made, sources)
    uid = str(data.get("uid") or "")
    differences = [f"a title of its own: {title}"] if not data.get("title") else []
    if uid and not _usable(uid):
        differences.append(f"uid {uid} is not one that can be kept, so links to it change")
        uid = ""
    made["uid"] = uid
    bundle.add_dashboard(folder, made, root.file)
    if uid and made["uid"] != uid:
        differences.append(f"uid {uid} is there twice, so this one is {made['uid']}")
    if made["title"] != title:
        differences.append(f"is called {made['title']}: the folder has that title already")
    keys = tuple(key for key in data if key not in _PROVISIONED)
    report.judged(node, "dashboard", title, differences, f"{folder}, uid {made['uid']}", keys=keys)
    report.rest(root, "Grafana keeps no such key of a dashboard")


def _everywhere(part: Any, sources: Datasources) -> None:
    """Point whatever is left, such as the queries of rows, to this stack's datasources."""
    if isinstance(part, dict):
        if "datasource" in part:
            kind = sources.type_of(part["datasource"])
            if here := sources.here(kind):
                part["datasource"] = here
            elif kind != "built-in":
                del part["datasource"]
        for each in part.values():
            _everywhere(each, sources)
    elif isinstance(part, list):
        for each in part:
            _everywhere(each, sources)


def _usable(uid: str) -> bool:
    from components.beside import is_free_uid

    return is_free_uid(uid)


def _panels(bundle: Bundle, node: Node, sources: Datasources, plugins: dict[str, str]) -> list[dict[str, Any]]:
    """The panels of a dashboard or row, those in collapsed rows too."""
    panels = node.get("panels")
    made = (_panel(bundle, each, sources, plugins) for each in (panels.items() if panels else ()))
    return [panel for panel in made if panel]


def _panel(bundle: Bundle, node: Node, sources: Datasources, plugins: dict[str, str]) -> dict[str, Any] | None:
    report, panel = bundle.report, node.value
    if not isinstance(panel, dict):
        report.impossible(node, "panel", node.place, "it is no mapping")
        return None
    title = str(panel.get("title") or panel.get("type") or node.place)
    if panel.get("type") == "row":
        row = {key: copy.deepcopy(value) for key, value in panel.items() if key not in ("panels", "datasource")}
        keys = tuple(key for key in panel if key != "panels" or not panel[key])
        report.carried(node, "row", title, keys=keys)
        inner = _panels(bundle, node, sources, plugins)
        return row | {"panels": inner, "collapsed": bool(inner)}
    if isinstance(library := panel.get("libraryPanel"), dict):
        whole = library.get("model")
        if not isinstance(whole, dict):
            why = f"it is the library panel {library.get('name')}, whose content is not in this file"
            todo = "export the dashboard with its library panels, or unlink the panel first"
            report.impossible(node, "panel", title, why, todo)
            return note_in_place(panel, why)
        panel = {**whole, **{key: panel[key] for key in ("id", "gridPos") if key in panel}}
        made, differences, why = migrated(panel, sources, plugins)
        differences = ["was a library panel, and is one of this dashboard's own now", *differences]
    else:
        made, differences, why = migrated(panel, sources, plugins)
    if why:
        report.impossible(node, "panel", title, why, "a note stands in its place")
    else:
        report.judged(node, "panel", title, differences)
    return made


def _rows(bundle: Bundle, node: Node, sources: Datasources, plugins: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Dashboards from before Grafana 5 have rows of panels that have a width; today each has a place."""
    report = bundle.report
    rows = node.get("rows")
    top, number = 0, 1
    for row in rows.items() if rows else ():
        if not isinstance(row.value, dict):
            report.impossible(row, "row", row.place, "it is no mapping")
            continue
        title = str(row.value.get("title") or "")
        report.carried(row, "row", title or row.place, keys=tuple(key for key in row.value if key != "panels"))
        if title and row.value.get("showTitle", True):
            place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
            yield {
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": place,
                "id": 10_000 + number,
            }
            top, number = top + 1, number + 1
        left, height = 0, _height(row.value.get("height"))
        for made in _panels(bundle, row, sources, plugins):
            width = max(1, min(_COLUMNS, round(2 * float(made.pop("span", 4) or 4))))
            if left + width > _COLUMNS:
                left, top = 0, top + height
            made["gridPos"] = {"x": left, "y": top, "w": width, "h": _height(made.pop("height", None), height)}
            left += width
            yield made
        top += height
        report.rest(row, "a row has no such part")


def _height(value: Any, usual: int = _ROW_HEIGHT) -> int:
    digits = "".join(filter(str.isdigit, str(value or "")))
    return max(3, min(40, round(int(digits[:5]) / _PIXELS))) if digits else usual


def _variables(bundle: Bundle, node: Node, sources: Datasources) -> list[dict[str, Any]]:
    found = [sources.definition()] if sources.made else []
    listed = _list_of(node, "templating")
    for each in listed.items() if listed else ():
        variable = each.value
        if not isinstance(variable, dict) or not variable.get("name"):
            bundle.report.impossible(each, "variable", each.place, "it has no name")
            continue
        name, kind = str(variable["name"]), str(variable.get("type") or "query")
        made = copy.deepcopy(variable) | {"type": kind}
        if kind == "datasource" and variable.get("query") not in ("prometheus", "jaeger", "alertmanager"):
            why = f"the stack has no datasource of type {variable.get('query')}"
            bundle.report.impossible(each, "variable", name, why, "a text box stands in its place")
            found.append(_text_box(made))
            continue
        if kind == "datasource":
            made |= {"current": {}, "options": []}
            bundle.report.carried(each, "variable", name)
        elif kind in ("query", "adhoc"):
            asked = sources.type_of(variable.get("datasource"))
            here = sources.here(asked)
            if here is None and asked != "built-in":
                why = f"its values came from {asked}, which this stack has not"
                bundle.report.impossible(each, "variable", name, why, "a text box stands in its place")
                made = _text_box(made)
            else:
                made |= {"datasource": here} if here else {}
                bundle.report.carried(each, "variable", name)
        else:
            made.pop("datasource", None)
            bundle.report.carried(each, "variable", name)
        found.append(made)
    return found


def _text_box(variable: dict[str, Any]) -> dict[str, Any]:
    """What people type in, in place of a choice that nothing here could offer."""
    current = variable.get("current")
    value = current.get("value") if isinstance(current, dict) else ""
    text = str(value[0] if isinstance(value, list) and value else value or "")
    kept: dict[str, Any] = {key: variable[key] for key in ("name", "label", "hide") if key in variable}
    return {**kept, "type": "textbox", "query": text, "current": {"text": text, "value": text}, "options": []}


def _annotations(bundle: Bundle, node: Node, sources: Datasources) -> list[dict[str, Any]]:
    found = []
    listed = _list_of(node, "annotations")
    for each in listed.items() if listed else ():
        mark = each.value
        name = str(mark.get("name") or each.place) if isinstance(mark, dict) else each.place
        asked = sources.type_of(mark.get("datasource")) if isinstance(mark, dict) else ""
        if not isinstance(mark, dict):
            bundle.report.impossible(each, "annotation", name, "it is no mapping")
        elif mark.get("builtIn"):
            found.append(copy.deepcopy(mark) | {"datasource": {"type": "grafana", "uid": "-- Grafana --"}})
            bundle.report.carried(each, "annotation", name)
        elif asked == "built-in":
            found.append(copy.deepcopy(mark))
            bundle.report.carried(each, "annotation", name)
        elif asked == "prometheus":
            found.append(copy.deepcopy(mark) | {"datasource": sources.here("prometheus")})
            bundle.report.carried(each, "annotation", name)
        else:
            bundle.report.impossible(each, "annotation", name, f"it comes from {asked}, which this stack has not")
    return found


def _list_of(node: Node, key: str) -> Node | None:
    """`list` below a key; whatever else is there has no meaning, and is said to have none."""
    table = node.get(key)
    return table.get("list") if table else None


def safe_folder(text: str) -> str:
    """A name of a folder of Grafana, from whatever the other was called."""
    kept = "".join(sign if sign.isalnum() or sign in " _()&+-" else " " for sign in names.plain(text))
    return " ".join(kept.split()).strip(" ")[:60].strip() or "Migrated"
