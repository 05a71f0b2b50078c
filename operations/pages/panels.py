"""What stands inside each kind of panel, as HTML: numbers, gauges, bars, tables, strips; places for figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from operations.pages.data import PanelData, Series, Window
from operations.pages.figures import colour, on_grid
from operations.units import with_unit

DRAWN = ("timeseries", "heatmap")
"""Types of panels that are figures."""
_KINDS = {
    "timeseries": "graph",
    "heatmap": "heat map",
    "stat": "number",
    "gauge": "gauge",
    "bargauge": "bars",
    "table": "table",
    "state-timeline": "timeline",
}


def told(panel: Mapping[str, Any]) -> str:
    """What a reviewer asks about a panel: what it means, its unit, its limits, its queries."""
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [])[1:]
    unit = panel["options"]["yAxis"]["unit"] if panel["type"] == "heatmap" else defaults["unit"]
    chips = [f"<span class=chip><b>{_KINDS[panel['type']]}</b></span>", f"<span class=chip>unit <b>{unit}</b></span>"]
    for step in steps:
        dot = f'<i style="background:var(--{step["color"]})"></i>'
        chips.append(f"<span class=chip>{dot}{with_unit(step['value'], unit)}</span>")
    queries = "".join(f"<pre>{escape(target['expr'])}</pre>" for target in panel["targets"])
    return (
        f"<div class=told><p>{escape(panel['description'])}</p><div class=chips>{''.join(chips)}</div>{queries}</div>"
    )


def shown(data: PanelData, window: Window) -> str:
    """The body of a panel with its data, or why it has none."""
    if data.reason and not data.series:
        return f"<div class=empty><b>No data</b>{escape(data.reason)}</div>"
    kind = data.panel["type"]
    if kind in DRAWN:
        names = [] if kind == "heatmap" else [(series.name, colour(at)) for at, series in enumerate(data.series)]
        return f'<div class=plot id="panel-{data.panel["id"]}"></div>{_legend(names)}'
    body = {"stat": _stats, "gauge": _gauge, "bargauge": _bars, "table": _table, "state-timeline": _strips}[kind]
    return body(data, window)


def level(value: float, panel: Mapping[str, Any]) -> str:
    """The colour of a value by the panel's thresholds."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    passed = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return f"var(--{passed[-1]})"


def _unit(panel: Mapping[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"]["unit"])


def _legend(names: Sequence[tuple[str, str]]) -> str:
    entries = "".join(f'<span><i style="background:{paint}"></i>{escape(name)}</span>' for name, paint in names)
    return f"<div class=legend>{entries}</div>" if names else ""


def _stats(data: PanelData, window: Window) -> str:
    named = len(data.series) > 1
    stats = []
    for series in data.series:
        paint = level(series.last, data.panel)
        name = f"<span>{escape(series.name)}</span>" if named else ""
        value = escape(with_unit(series.last, _unit(data.panel)))
        figure = f'<strong style="color:{paint}">{value}</strong>'
        stats.append(f"<div class=stat>{figure}{name}{_course(series, window, paint)}</div>")
    return f"<div class=stats>{''.join(stats)}</div>"


def _course(series: Series, window: Window, paint: str) -> str:
    """The way of a number as an area without axes."""
    points = [(place, value) for place, value in enumerate(on_grid(series, window)) if value is not None]
    if len(points) < 2:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    if high == low:
        return ""
    last = len(on_grid(series, window)) - 1
    line = " ".join(f"{100 * place / last:.1f},{28 - 26 * (value - low) / (high - low):.1f}" for place, value in points)
    start, end = 100 * points[0][0] / last, 100 * points[-1][0] / last
    return (
        '<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon points="{start:.1f},30 {line} {end:.1f},30" fill="{paint}" opacity="0.12"/>'
        f'<polyline points="{line}" fill="none" stroke="{paint}" stroke-width="1.5" vector-effect="non-scaling-stroke"'
        ' opacity="0.7"/></svg>'
    )


def _gauge(data: PanelData, _window: Window) -> str:
    defaults = data.panel["fieldConfig"]["defaults"]
    low, high = float(defaults["min"]), float(defaults["max"])

    def share(value: float) -> float:
        return max(0.0, min(1.0, (value - low) / (high - low)))

    value = data.series[0].last
    paint = level(value, data.panel)
    steps = defaults["thresholds"]["steps"]
    ends = [*(share(step["value"]) for step in steps[1:]), 1.0]
    starts = [0.0, *ends[:-1]]
    ring = "".join(
        _arc(56, start, end, f"var(--{step['color']})", 3)
        for step, start, end in zip(steps, starts, ends, strict=True)
        if end > start
    )
    return (
        '<div class=gauge><svg viewBox="0 0 120 74">'
        f"{ring}{_arc(46, 0, 1, 'var(--grid)', 13)}{_arc(46, 0, share(value), paint, 13) if share(value) > 0 else ''}"
        f'<text x="60" y="62" font-size="19" style="color:{paint}">{escape(with_unit(value, _unit(data.panel)))}</text>'
        "</svg></div>"
    )


def _arc(radius: float, start: float, end: float, paint: str, width: float) -> str:
    """A part of the upper half circle around (60, 64), from 0 on the left to 1 on the right."""

    def point(share: float) -> str:
        angle = math.pi * (1 - share)
        return f"{60 + radius * math.cos(angle):.2f} {64 - radius * math.sin(angle):.2f}"

    way = f"M {point(start)} A {radius} {radius} 0 0 1 {point(end)}"
    return f'<path d="{way}" fill="none" stroke="{paint}" stroke-width="{width}"/>'


def _bars(data: PanelData, _window: Window) -> str:
    most = data.panel["fieldConfig"]["defaults"].get("max")
    top = most or max([series.last for series in data.series if math.isfinite(series.last)], default=0) or 1
    bars = []
    for series in data.series:
        paint = level(series.last, data.panel)
        width = max(0.0, min(1.0, series.last / top)) if math.isfinite(series.last) else 0.0
        bars.append(
            f'<div class=bar><span title="{escape(series.name)}">{escape(series.name)}</span>'
            f'<em><i style="width:{width:.1%};background:{paint}"></i></em>'
            f'<b style="color:{paint}">{escape(with_unit(series.last, _unit(data.panel)))}</b></div>'
        )
    return f"<div class=bars>{''.join(bars)}</div>"


def _table(data: PanelData, _window: Window) -> str:
    organised = next(t["options"] for t in data.panel["transformations"] if t["id"] == "organize")
    columns = sorted(organised["indexByName"], key=organised["indexByName"].__getitem__)
    value_name = organised["renameByName"]["Value"]
    descending = data.panel["options"]["sortBy"][0]["desc"]
    rows = sorted(data.series, key=lambda series: series.last, reverse=descending)
    head = "".join(f"<th>{escape(value_name if name == 'Value' else name)}</th>" for name in columns)
    lines = []
    for series in rows:
        cells = [f"<td>{escape(series.labels.get(name, ''))}</td>" for name in columns if name != "Value"]
        paint, value = level(series.last, data.panel), escape(with_unit(series.last, _unit(data.panel)))
        lines.append(f'<tr>{"".join(cells)}<td style="color:{paint}">{value}</td></tr>')
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _strips(data: PanelData, window: Window) -> str:
    states = data.panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    strips = []
    for series in data.series:
        values = on_grid(series, window)
        pieces, place = [], 0
        for value, run in groupby(values):
            length = len(list(run))
            state = states.get(f"{value:g}") if value is not None else None
            if state:
                left, width = 100 * place / len(values), 100 * length / len(values)
                pieces.append(
                    f'<i style="left:{left:.2f}%;width:{width:.2f}%;background:var(--{state["color"]})"'
                    f' title="{escape(state["text"])}"></i>'
                )
            place += length
        name = escape(series.name)
        strips.append(f'<div class=strip><span title="{name}">{name}</span><div>{"".join(pieces)}</div></div>')
    legend = _legend([(state["text"], f"var(--{state['color']})") for state in states.values()])
    return f"<div class=strips>{''.join(strips)}</div>{legend}"
