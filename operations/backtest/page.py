"""A backtest as one page for a browser: for each alert when it fires by either rule, label set by label set."""

from __future__ import annotations

from html import escape
from typing import Any

from operations.backtest.compare import Compared, Outcome, Report
from operations.backtest.history import Labels
from operations.backtest.show import length, moment
from operations.pages.html import chip, document, drawing

ROWS = 30
"""Label sets drawn of one alert: those that fire longest."""
_SIDES = (("before", "var(--c7)"), ("now", "var(--c1)"))


def page(report: Report) -> str:
    """All of it, complete in itself."""
    chips = [
        chip("from", f"{moment(report.start)} UTC"),
        chip("to", f"{moment(report.end)} UTC"),
        chip("against", report.against),
        chip("beside", report.base),
        chip("samples looked at", f"{report.samples:,}"),
    ]
    if not report.complete:
        chips.append(chip("not complete", "--max-samples was reached"))
    figures = {f"alert-{place}": figure(each, report) for place, each in enumerate(report.alerts) if _fires(each)}
    body = "".join(_section(place, each) for place, each in enumerate(report.alerts))
    notes = "".join(f"<p>{escape(note)}</p>" for note in report.notes)
    return document(
        f"Backtest of {report.environment}",
        f"<header><h1>Backtest of {escape(report.environment)}</h1>{notes}<div class=chips>{''.join(chips)}</div>"
        f"</header><main class=list>{body or '<p>No alert differs.</p>'}</main>{drawing(figures)}",
    )


def _fires(each: Compared) -> bool:
    return any(side and side.firings for side in (each.now, each.before))


def _section(place: int, each: Compared) -> str:
    rows = "".join(_row(name, side) for name, side in (("now", each.now), ("before", each.before)) if side)
    table = (
        "<table><thead><tr><th>rule</th><th>fired</th><th>in all</th><th>longest</th><th>label sets</th>"
        f"<th>pending only</th><th>expression</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    plot = ""
    if _fires(each):
        height = 70 + 26 * len(_longest(each))
        plot = f'<div class=plot id="alert-{place}" style="height:{height}px"></div>'
    notes = "".join(f"<p>{escape(note)}</p>" for note in each.notes)
    return (
        f"<article class=panel><h3>{escape(each.key[1])} <small>{each.change}</small></h3>"
        f"<div class=body>{table}{plot}{notes}</div></article>"
    )


def _row(name: str, side: Outcome) -> str:
    lengths = [firing.length for firing in side.firings]
    waits = "".join(
        f" {word} {length(time)}"
        for word, time in (("for", side.alert.hold), ("keep_firing_for", side.alert.keep))
        if time
    )
    cells = [
        name,
        f"{len(lengths):,}",
        length(sum(lengths)),
        length(max(lengths, default=0.0)),
        f"{len({firing.labels for firing in side.firings}):,}",
        f"{side.pending_only:,}",
    ]
    code = f"<pre>{escape(side.alert.expression + waits)}</pre>"
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}<td>{code}</td></tr>"


def figure(each: Compared, report: Report) -> dict[str, Any]:
    """Bars over time, a line for each label set: above by the rule of now, below by that of before."""
    chosen = _longest(each)
    places = {labels: len(chosen) - 1 - at for at, labels in enumerate(chosen)}
    traces = []
    for (name, paint), shift in zip(_SIDES, (-0.18, 0.18), strict=True):
        side = each.now if name == "now" else each.before
        if side is None or (name == "before" and each.change == "same"):
            continue
        firings = [firing for firing in side.firings if _shown(firing.labels, each) in places]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "base": [firing.start * 1000 for firing in firings],
                "x": [max(firing.length, 1.0) * 1000 for firing in firings],
                "y": [places[_shown(firing.labels, each)] + shift for firing in firings],
                "width": 0.32,
                "marker": {"color": paint},
                "text": [f"{name}: {moment(firing.start)} for {length(firing.length)}" for firing in firings],
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    axis = {"automargin": True, "fixedrange": True, "zeroline": False, "gridcolor": "var(--grid)"}
    names = [_called(labels) for labels in reversed(chosen)]
    return {
        "data": traces,
        "layout": {
            "margin": {"l": 8, "r": 10, "t": 6, "b": 4},
            "barmode": "overlay",
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "inherit", "size": 11, "color": "var(--muted)"},
            "showlegend": True,
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom"},
            "xaxis": axis | {"type": "date", "range": [report.start * 1000, report.end * 1000]},
            "yaxis": axis
            | {"tickvals": list(range(len(chosen))), "ticktext": names, "range": [-0.6, len(chosen) - 0.4]},
        },
    }


def _shown(labels: Labels, each: Compared) -> Labels:
    """Without the labels that both rules set themselves: the same alert by both stands on one line."""
    own = {name for side in (each.now, each.before) if side for name, _ in side.alert.labels}
    return tuple(pair for pair in labels if pair[0] not in own)


def _longest(each: Compared) -> list[Labels]:
    lengths: dict[Labels, float] = {}
    for side in (each.now, each.before):
        for firing in side.firings if side else ():
            shown = _shown(firing.labels, each)
            lengths[shown] = lengths.get(shown, 0.0) + firing.length
    return sorted(lengths, key=lambda labels: (-lengths[labels], labels))[:ROWS]


def _called(labels: Labels) -> str:
    text = ", ".join(f"{name}={value}" for name, value in labels) or "(no labels)"
    return escape(text if len(text) <= 70 else f"{text[:69]}…")
