"""Panels of old Grafana, which it no longer draws (graph, singlestat, table of the first kind), as today's kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_FRAME: tuple[str, ...] = (
    "id",
    "title",
    "description",
    "gridPos",
    "datasource",
    "targets",
    "links",
    "repeat",
    "repeatDirection",
)
_FRAME += ("maxPerRow", "transparent", "interval", "timeFrom", "timeShift", "maxDataPoints", "span", "height")
_FRAME += ("cacheTimeout", "transformations", "hideTimeOverride", "scopedVars", "repeatIteration", "repeatPanelId")
_REDUCERS = {
    "avg": "mean",
    "current": "lastNotNull",
    "total": "sum",
    "min": "min",
    "max": "max",
    "first": "firstNotNull",
}
_REDUCERS |= {"range": "range", "delta": "delta", "diff": "diff", "name": "lastNotNull"}
_GRAPH = {"yaxes", "lines", "linewidth", "fill", "fillGradient", "points", "pointradius", "bars", "stack", "legend"}
_GRAPH |= {"nullPointMode", "thresholds", "tooltip", "percentage", "steppedLine", "seriesOverrides", "dashes"}
_SILENT = {"type", "editable", "error", "renderer", "xaxis", "yaxis", "timeRegions", "aliasColors", "dashLength"}
_SILENT |= {"spaceLength", "hiddenSeries", "options", "fieldConfig", "pluginVersion", "isNew", "grid", "leftYAxisLabel"}
_SILENT |= {"alert", "valueFontSize", "prefixFontSize", "postfixFontSize", "interval", "mappingTypes", "tableColumn"}
_SILENT |= {"nullText", "fontSize", "scroll", "showHeader", "paginate", "pageSize", "x-axis", "y-axis", "y_formats"}
_SILENT |= {"decimals", "style", "minSpan", "maxDataPoints", "columns", "sort", "transform", "zerofill"}


def converted(panel: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The panel as today's kind, and what differs."""
    old = str(panel["type"])
    frame = {key: panel[key] for key in _FRAME if panel.get(key) is not None}
    made, known = CURRENT[old](panel)
    differences = [f"{old} became {made['type']}"]
    lost = sorted(
        key for key in panel if key not in {*_FRAME, *_SILENT, *known} and panel[key] not in (None, [], {}, "")
    )
    if lost:
        differences.append(f"without {', '.join(lost)}")
    return {**frame, **made}, differences


def _graph(panel: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    axes = [axis for axis in panel.get("yaxes") or () if isinstance(axis, dict)]
    left = axes[0] if axes else {}
    formats = panel.get("y_formats") or []
    custom: dict[str, Any] = {
        "drawStyle": "bars" if panel.get("bars") else "line" if panel.get("lines", True) else "points",
        "lineWidth": _number(panel.get("linewidth"), 1),
        "fillOpacity": min(100, 10 * _number(panel.get("fill"), 1)),
        "showPoints": "always" if panel.get("points") else "never",
        "spanNulls": panel.get("nullPointMode") == "connected",
    }
    if panel.get("steppedLine"):
        custom["lineInterpolation"] = "stepAfter"
    if panel.get("stack"):
        custom["stacking"] = {"mode": "percent" if panel.get("percentage") else "normal", "group": "A"}
    if left.get("label"):
        custom["axisLabel"] = str(left["label"])
    if _number(left.get("logBase"), 1) > 1:
        custom["scaleDistribution"] = {"type": "log", "log": _number(left["logBase"], 10)}
    defaults: dict[str, Any] = {"custom": custom, **_unit(left.get("format") or (formats[0] if formats else None))}
    for key in ("min", "max"):
        if (value := _float(left.get(key))) is not None:
            defaults[key] = value
    thresholds = [each for each in panel.get("thresholds") or () if isinstance(each, dict)]
    steps = [
        {"value": value, "color": "red" if each.get("colorMode") == "critical" else "orange"}
        for each in thresholds
        if (value := _float(each.get("value"))) is not None
    ]
    if steps:
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, *steps]}
        custom["thresholdsStyle"] = {"mode": "line"}
    legend = panel.get("legend") if isinstance(panel.get("legend"), dict) else {}
    values = [
        _REDUCERS[key]
        for key in _REDUCERS
        if legend and legend.get(key) and key in ("avg", "current", "total", "min", "max")
    ]
    options = {
        "legend": {
            "showLegend": bool((legend or {}).get("show", True)),
            "displayMode": "table" if (legend or {}).get("alignAsTable") else "list",
            "placement": "right" if (legend or {}).get("rightSide") else "bottom",
            "calcs": values,
        },
        "tooltip": {"mode": "multi" if (panel.get("tooltip") or {}).get("shared", True) else "single", "sort": "none"},
    }
    overrides = _overrides(panel.get("seriesOverrides"))
    known = _GRAPH - ({"seriesOverrides"} if len(overrides) < len(panel.get("seriesOverrides") or ()) else set())
    return {
        "type": "timeseries",
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "options": options,
    }, known


def _overrides(found: Any) -> list[dict[str, Any]]:
    """Series that are drawn otherwise, where that is said in words that have one meaning today."""
    made = []
    for each in found if isinstance(found, list) else ():
        if not isinstance(each, dict) or not each.get("alias"):
            continue
        properties: list[dict[str, Any]] = []
        for key, value in each.items():
            if key == "transform" and value == "negative-Y":
                properties.append({"id": "custom.transform", "value": "negative-Y"})
            elif key == "yaxis" and value == 2:
                properties.append({"id": "custom.axisPlacement", "value": "right"})
            elif key == "color":
                properties.append({"id": "color", "value": {"mode": "fixed", "fixedColor": value}})
            elif key == "fill":
                properties.append({"id": "custom.fillOpacity", "value": 10 * _number(value, 1)})
            elif key == "linewidth":
                properties.append({"id": "custom.lineWidth", "value": _number(value, 1)})
            elif key != "alias":
                break
        else:
            alias = str(each["alias"])
            pattern = alias.startswith("/") and alias.rstrip("i").endswith("/") and len(alias) > 1
            matcher = {"id": "byRegexp" if pattern else "byName", "options": alias}
            made.append({"matcher": matcher, "properties": properties})
    return made


def _singlestat(panel: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    gauge = panel.get("gauge") if isinstance(panel.get("gauge"), dict) else {}
    kind = "gauge" if gauge and gauge.get("show") else "stat"
    defaults: dict[str, Any] = _unit(panel.get("format"))
    if isinstance(panel.get("decimals"), int):
        defaults["decimals"] = panel["decimals"]
    if kind == "gauge":
        low, high = _float((gauge or {}).get("minValue")), _float((gauge or {}).get("maxValue"))
        defaults |= ({"min": low} if low is not None else {}) | ({"max": high} if high is not None else {})
    colours = panel.get("colors") if isinstance(panel.get("colors"), list) else []
    limits = [value for each in str(panel.get("thresholds") or "").split(",") if (value := _float(each)) is not None]
    steps = [{"value": None, "color": (colours or ["green"])[0]}]
    steps += [
        {"value": value, "color": str(colour)} for value, colour in zip(limits, (colours or [])[1:], strict=False)
    ]
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    mappings = {
        str(each.get("value")): {"text": str(each.get("text"))}
        for each in panel.get("valueMaps") or ()
        if isinstance(each, dict) and each.get("value") != "null"
    }
    if mappings:
        defaults["mappings"] = [{"type": "value", "options": mappings}]
    reduce = {"calcs": [_REDUCERS.get(str(panel.get("valueName")), "lastNotNull")], "fields": "", "values": False}
    options: dict[str, Any] = {"reduceOptions": reduce, "orientation": "auto"}
    if kind == "stat":
        spark = panel.get("sparkline") if isinstance(panel.get("sparkline"), dict) else {}
        options["graphMode"] = "area" if spark and spark.get("show") else "none"
        background = panel.get("colorBackground")
        options["colorMode"] = "background" if background else "value" if panel.get("colorValue") else "none"
    known = {"format", "gauge", "colors", "thresholds", "valueMaps", "valueName", "sparkline", "colorBackground"}
    known |= {"colorValue", "nullPointMode", "mappingType", "colorPrefix", "colorPostfix"}
    known |= {key for key in ("prefix", "postfix", "rangeMaps") if panel.get(key) in (None, "", [])}
    made = {"type": kind, "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}
    ranges = panel.get("rangeMaps") or []
    if panel.get("mappingType") != 2 or (len(ranges) == 1 and (ranges[0] or {}).get("from") == "null"):
        known.add("rangeMaps")
    return made, known


def _table(panel: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    styles = [each for each in panel.get("styles") or () if isinstance(each, dict) and each.get("pattern")]
    overrides = []
    for each in styles:
        properties: list[dict[str, Any]] = []
        if each.get("alias"):
            properties.append({"id": "displayName", "value": str(each["alias"])})
        if each.get("type") == "hidden":
            properties.append({"id": "custom.hidden", "value": True})
        if each.get("unit") and each.get("unit") != "short":
            properties.append({"id": "unit", "value": str(each["unit"])})
        pattern = str(each["pattern"])
        kind = "byRegexp" if pattern.startswith("/") else "byName"
        if properties:
            overrides.append({"matcher": {"id": kind, "options": pattern}, "properties": properties})
    made: dict[str, Any] = {"type": "table", "fieldConfig": {"defaults": {}, "overrides": overrides}, "options": {}}
    return made, {"styles"}


def _pie(panel: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    reduce = {"calcs": [_REDUCERS.get(str(panel.get("valueName")), "lastNotNull")], "fields": "", "values": False}
    options = {"pieType": "donut" if panel.get("pieType") == "donut" else "pie", "reduceOptions": reduce}
    made = {
        "type": "piechart",
        "fieldConfig": {"defaults": _unit(panel.get("format")), "overrides": []},
        "options": options,
    }
    return made, {"valueName", "pieType", "format", "legend", "combine", "legendType", "strokeWidth"}


CURRENT: dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any], set[str]]]] = {
    "graph": _graph,
    "singlestat": _singlestat,
    "table-old": _table,
    "grafana-piechart-panel": _pie,
}
"""Kinds of old to what makes today's of them, with the keys that it takes account of."""


def _unit(text: Any) -> dict[str, str]:
    return {"unit": str(text)} if text and text != "none" else {}


def _number(value: Any, default: int) -> int:
    number = _float(value)
    return default if number is None else int(number)


def _float(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
