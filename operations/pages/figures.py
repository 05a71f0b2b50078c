"""Graphs and heat maps as figures of Plotly: plain data, checked against its schema by a test.

Colours are names of the page's own variables, `var(--c1)/0.1` with an opacity: the page puts in what fits its scheme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from operations.pages.data import Exemplar, PanelData, Series, Window
from operations.units import scale_of, with_unit

FILLED = 4
"""Lines up to which the area below each is tinted; more of them would only mix to grey."""
PALETTE = 10
"""Colours of series, --c0 to --c9; then they repeat."""
_WIDE = {
    "automargin": True,
    "fixedrange": True,
    "zeroline": False,
    "gridcolor": "var(--grid)",
    "linecolor": "var(--grid)",
}


def figure(data: PanelData, window: Window, marks: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """The figure of a graph or a heat map."""
    make = _heatmap if data.panel["type"] == "heatmap" else _graph
    traces, layout = make(data, window)
    shapes = [*layout.pop("shapes", ()), *(_mark(at) for at, _ in marks)]
    return {"data": traces, "layout": _layout(window, shapes) | layout}


def colour(index: int) -> str:
    """The colour of the series at this place."""
    return f"var(--c{index % PALETTE})"


def on_grid(series: Series, window: Window) -> list[float | None]:
    """The values at each step of the window; None where there is none, so that a line has a gap there."""
    steps = round((window.end - window.start) / window.step) + 1
    values: list[float | None] = [None] * steps
    for at, value in series.points:
        place = round((at - window.start) / window.step)
        if 0 <= place < steps and math.isfinite(value):
            values[place] = value
    return values


def _graph(data: PanelData, window: Window) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    defaults = data.panel["fieldConfig"]["defaults"]
    unit, stacked = defaults["unit"], "stacking" in defaults["custom"]
    traces: list[dict[str, Any]] = []
    start, grid = _begun([on_grid(series, window) for series in data.series]) if stacked else (0, [])
    grid = grid or [on_grid(series, window) for series in data.series]
    fill = 0.35 if stacked else 0.08 if len(data.series) <= FILLED else 0
    for index, (series, values) in enumerate(zip(data.series, grid, strict=True)):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": series.name,
                "x0": (window.start + start * window.step) * 1000,
                "dx": window.step * 1000,
                "y": [None if value is None else float(f"{value:.6g}") for value in values],
                "text": ["" if value is None else with_unit(value, unit) for value in values],
                "hovertemplate": "%{text}",
                "line": {"width": 1.5, "color": colour(index)},
            }
            | _filled(f"{colour(index)}/{fill}", stacked, values if fill else ())
        )
    if data.exemplars:
        traces.append(_dots(data.exemplars, unit))
    low, high = _extent(grid, stacked)
    high = max([high, *(exemplar.value for exemplar in data.exemplars)])
    steps = defaults["thresholds"]["steps"][1:]
    # A limit far above the values would press them flat; where they are all 0, it is all there is to see.
    drawn = [step for step in steps if step["value"] <= 2 * high] or (steps[:1] if high == 0 else [])
    top = max([high, *(step["value"] for step in drawn)]) * 1.08 or 1.0
    top = min(top, defaults["max"] * 1.04) if "max" in defaults and high <= defaults["max"] else top
    bottom = min(low * 1.05, 0.0)
    places, texts = ticks(bottom, top, unit)
    axis = _WIDE | {"range": [bottom, top], "tickvals": places, "ticktext": texts}
    return traces, {"yaxis": axis, "shapes": [_limit(step) for step in drawn]}


def _dots(exemplars: Sequence[Exemplar], unit: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "exemplar",
        "x": [exemplar.at * 1000 for exemplar in exemplars],
        "y": [exemplar.value for exemplar in exemplars],
        "text": [f"{with_unit(exemplar.value, unit)}, trace {exemplar.trace}" for exemplar in exemplars],
        "hovertemplate": "%{text}",
        "marker": {"size": 5, "symbol": "diamond", "color": "var(--c4)/0.75"},
    }


def _filled(paint: str, stacked: bool, values: Sequence[float | None]) -> dict[str, Any]:
    """The area below a line; none below one with gaps, where Plotly would tint what is between the pieces."""
    if stacked:
        return {"stackgroup": "one", "fillcolor": paint}
    known = [place for place, value in enumerate(values) if value is not None]
    if not known or None in values[known[0] : known[-1]]:
        return {}
    return {"fill": "tozeroy", "fillcolor": paint}


def _begun(grid: list[list[float | None]]) -> tuple[int, list[list[float | None]]]:
    """Without the steps before the first value: a stack would begin with a line at 0 there."""
    first = next((place for place, row in enumerate(zip(*grid, strict=True)) if any(v is not None for v in row)), 0)
    return first, [values[first:] for values in grid]


def _extent(columns: Sequence[Sequence[float | None]], stacked: bool) -> tuple[float, float]:
    rows = list(zip(*columns, strict=True)) if stacked else [tuple(column) for column in columns]
    if stacked:
        sums = [sum(value for value in row if value is not None) for row in rows]
        return 0.0, max(sums, default=1.0)
    every = [value for row in rows for value in row if value is not None]
    return min(every, default=0.0), max(every, default=1.0)


def _limit(step: Mapping[str, Any]) -> dict[str, Any]:
    line = {"color": f"var(--{step['color']})", "width": 1.2, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": step["value"], "y1": step["value"], "line": line}


def _mark(at: float) -> dict[str, Any]:
    line = {"color": "var(--blue)", "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at * 1000, "x1": at * 1000, "line": line}


def _heatmap(data: PanelData, window: Window) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Each bucket holds those below it too, so neighbours are subtracted."""
    unit = data.panel["options"]["yAxis"]["unit"]
    ordered = sorted(data.series, key=lambda series: float(series.labels["le"]))
    rows: list[list[float | None]] = []
    below: list[float | None] = []
    for series in ordered:
        values = on_grid(series, window)
        rows.append(
            [
                None if value is None else max(value - (below[place] or 0.0 if below else 0.0), 0.0)
                for place, value in enumerate(values)
            ]
        )
        below = values
    names = [f"≤ {with_unit(float(series.labels['le']), unit)}" for series in ordered]
    filled = [place for place, row in enumerate(rows) if any(row)]
    first, last = (filled[0], filled[-1] + 1) if filled else (0, len(rows))
    trace = {
        "type": "heatmap",
        "x0": window.start * 1000,
        "dx": window.step * 1000,
        "y": names[first:last],
        # The eye tells few from none only if the colours are not linear.
        "z": [[None if not value else math.sqrt(value) for value in row] for row in rows[first:last]],
        "text": [["" if not value else with_unit(value, "reqps") for value in row] for row in rows[first:last]],
        "hovertemplate": "%{y}: %{text}<extra></extra>",
        "colorscale": [[0, "var(--heat-low)"], [0.5, "var(--heat-mid)"], [1, "var(--heat-high)"]],
        "showscale": False,
        "xgap": 0.5,
        "ygap": 1,
    }
    return [trace], {"yaxis": _WIDE | {"type": "category", "showgrid": False}, "hovermode": "closest"}


def _layout(window: Window, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    font = {"family": "inherit", "size": 11, "color": "var(--muted)"}
    hover = {"bgcolor": "var(--panel)", "bordercolor": "var(--border)", "font": font | {"color": "var(--text)"}}
    span = {"type": "date", "range": [window.start * 1000, window.end * 1000], "nticks": 6, "tickformat": "%H:%M"}
    return {
        "margin": {"l": 8, "r": 10, "t": 6, "b": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "x unified",
        "hoverlabel": hover,
        "font": font,
        "xaxis": _WIDE | span,
        "shapes": shapes,
    }


def ticks(low: float, high: float, unit: str) -> tuple[list[float], list[str]]:
    """Four to eight round values between two, in the unit's own steps, and how they read."""
    scale = scale_of(max(abs(low), abs(high)), unit)
    rough = (high - low) / scale / 5 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * 0.999) * scale
    first = math.ceil(low / step - 1e-9)
    values = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return values, [with_unit(float(f"{value:.9g}"), unit) for value in values]
