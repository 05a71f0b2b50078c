"""One HTML page for each dashboard, complete in itself, and an index: a review without Grafana."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from operations.pages.data import BoardData, Window, chosen, panels_of
from operations.pages.figures import figure
from operations.pages.panels import DRAWN, shown, told

_ASSETS = Path(__file__).with_name("assets")


@dataclass(frozen=True, slots=True)
class Shown:
    """A dashboard to show: its name in the stack file, its folder, its JSON model, and its data where it was asked."""

    name: str
    folder: str
    board: Mapping[str, Any]
    data: BoardData | None = None

    @property
    def file(self) -> str:
        """The page's file name."""
        return f"{self.name}.html"

    @property
    def without(self) -> dict[str, str]:
        """Titles of the panels that have no data, with the reason."""
        panels = self.data.panels.values() if self.data else ()
        return {one.panel["title"]: one.reason for one in panels if one.reason}


def page(dashboard: Shown, source: str, window: Window) -> str:
    """The page of one dashboard. `source` names where the data is from; it only matters where there is data."""
    board, data = dashboard.board, dashboard.data
    panels = "".join(_panel(panel, data, window) for panel in board["panels"])
    chips = [chip("folder", dashboard.folder), chip("uid", board["uid"]), chip("panels", str(len(panels_of(board))))]
    script = ""
    if data:
        chips.append(chip("with data", f"{len(data.panels) - len(dashboard.without)} of {len(data.panels)}"))
        narrowed = {one["name"] for one in board["templating"]["list"] if chosen(one)}
        chips += [
            chip(name, ", ".join(values) if name in narrowed else _values(values))
            for name, values in data.variables.items()
        ]
        chips.append(chip("time", f"{_clock(window.start)} to {_clock(window.end)[11:]} UTC"))
        chips.append(chip("from", source))
        script = _script(data, window)
    plain = "" if data else " plain"
    return document(
        board["title"],
        f'<header><nav><a href="index.html">All dashboards</a></nav><h1>{escape(board["title"])}</h1>'
        f"<p>{escape(board['description'])}</p><div class=chips>{''.join(chips)}</div></header>"
        f'<main class="grid{plain}">{panels}</main>{script}',
    )


def index(environment: str, dashboards: Sequence[Shown], source: str, window: Window) -> str:
    """The page that leads to all others."""
    sections = []
    for folder in dict.fromkeys(one.folder for one in dashboards):
        cards = "".join(_card(one) for one in dashboards if one.folder == folder)
        sections.append(f"<section class=folder><h2>{escape(folder)}</h2><div class=cards>{cards}</div></section>")
    panels = sum(len(panels_of(one.board)) for one in dashboards)
    chips = [chip("dashboards", str(len(dashboards))), chip("panels", str(panels))]
    if any(one.data for one in dashboards):
        filled = panels - sum(len(one.without) for one in dashboards)
        chips += [chip("with data", str(filled)), chip("time", f"{_clock(window.end)} UTC"), chip("from", source)]
    return document(
        f"Dashboards of {environment}",
        f"<header><h1>Dashboards of {escape(environment)}</h1><p>As they are provisioned to Grafana.</p>"
        f"<div class=chips>{''.join(chips)}</div></header>{''.join(sections)}",
    )


def _panel(panel: Mapping[str, Any], data: BoardData | None, window: Window) -> str:
    place = panel["gridPos"]
    where = f"grid-column:{place['x'] + 1} / span {place['w']};grid-row:{place['y'] + 1} / span {place['h']}"
    title = escape(panel["title"])
    if panel["type"] == "row":
        return f'<h2 class=row style="{where}">{title}</h2>'
    if data is None:
        return f'<article class=panel style="{where}"><h3>{title}</h3><div class=body>{told(panel)}</div></article>'
    about = f"<details class=about><summary title='What this shows'>i</summary><div>{told(panel)}</div></details>"
    body = shown(data.panels[panel["id"]], window)
    return f'<article class=panel style="{where}"><h3>{title}</h3><div class=body>{body}</div>{about}</article>'


def _script(data: BoardData, window: Window) -> str:
    """Plotly with the figures of this page; nothing where the page has none."""
    figures = {
        f"panel-{number}": figure(one, window, data.marks)
        for number, one in data.panels.items()
        if one.series and one.panel["type"] in DRAWN
    }
    return drawing(figures)


def drawing(figures: Mapping[str, Any]) -> str:
    """What draws figures of Plotly, by the id of the element that each goes into; nothing where there are none."""
    if not figures:
        return ""
    # In JSON, `<` only stands in strings: written as an escape, no label can end the script.
    content = json.dumps(figures, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="figures">{content}</script>'
        f"<script>{_plotly()}</script><script>{_asset('page.js')}</script>"
    )


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _card(one: Shown) -> str:
    panels = len(panels_of(one.board))
    count = f"{panels} panels"
    meter = ""
    if one.data:
        filled = panels - len(one.without)
        count = f"{filled} of {panels} panels have data"
        meter = f'<div class=meter><i style="width:{filled / panels:.0%}"></i></div>'
    return (
        f'<a class=card href="{one.file}"><b>{escape(one.board["title"])}</b>'
        f"<p>{escape(one.board['description'])}</p>{meter}<small>{count}</small></a>"
    )


def chip(name: str, value: str) -> str:
    """A fact in the head of a page."""
    return f"<span class=chip>{escape(name)} <b>{escape(value)}</b></span>"


def _values(values: Sequence[str]) -> str:
    more = f" and {len(values) - 4} more" if len(values) > 4 else ""
    return f"All ({', '.join(values[:4])}{more})" if values else "All"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def document(title: str, body: str) -> str:
    """A page that is complete in itself, in the style that all pages have."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_asset('page.css')}</style></head><body>{body}</body></html>\n"
    )
