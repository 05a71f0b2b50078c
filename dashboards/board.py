"""A dashboard in the making: filters on top, rows of panels below, marks where something was deployed.

The SDK leaves out panel ids, reference ids and the list of annotations, without which Grafana mixes panels up or does
not load the dashboard: they are set here, once.
"""

import json
import warnings
from collections.abc import Sequence
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # see style.py
    from grafana_foundation_sdk.builders import dashboard
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import dashboard as model

from components.parameters import Limits
from dashboards.panels import Panel
from dashboards.style import BLUE, DATASOURCE, RED, SERVICE, Limit, variable

TAG = "observatory"
GRID = 24


class Board:
    """Rows of panels, placed from left to right and from top to bottom."""

    def __init__(self, uid: str, title: str, description: str, limits: Limits, tags: Sequence[str] = ()) -> None:
        self._limits = limits
        links = (
            dashboard.DashboardLink("Dashboards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        self._board = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(description)
            .tags([TAG, *tags])
            .readonly()
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .time("now-1h", "now")
            .timezone("browser")
            .refresh("30s")
            .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .link(links)
        )
        self._marks: list[dict[str, Any]] = []
        self._id = self._x = self._y = self._height = 0

    def limit(
        self, alert: str, colour: str = RED, parameter: str = "threshold", below: bool = False, rest: bool = False
    ) -> Limit:
        """Where this stack's alert fires. `rest`: the panel shows what is left to 1 of what the alert compares."""
        value = self._limits(alert, parameter)
        return Limit(round(1 - value, 9) if rest else value, colour, alert, below)

    def filter(self, name: str, label: str, description: str, seen: str, chosen: str = "") -> None:
        """Add a filter by the values that the label `name` has on the metric `seen`.

        `chosen` are matchers that narrow it down, by the filters to the left of it.
        """
        series = f"{seen}{{{chosen}}}" if chosen else seen
        self._board.with_variable(variable(name, label, description, f"label_values({series}, {name})"))

    def services(self, seen: str) -> None:
        """Filters by environment and service, of those that expose the metric `seen`; marks when they started."""
        self.filter("environment", "Environment", "Where the service runs.", seen)
        self.filter("service", "Service", "The name that the stack file gives it.", seen, 'environment=~"$environment"')
        self.starts(f"process_start_time_seconds{{{SERVICE}}} and on (service) {seen}{{{SERVICE}}}", "service")

    def starts(self, expression: str, label: str) -> None:
        """Mark the moments that `expression` gives in seconds, by `label`: a new version starts a new process."""
        mark = (
            dashboard.AnnotationQuery()
            .name("Starts")
            .datasource(DATASOURCE)
            .enable(True)
            .hide(False)
            .icon_color(BLUE)
            .expr(f"max by ({label}) ({expression}) * 1000")
            .use_value_for_time(True)
            .step("60s")
            .title_format(f"{{{{{label}}}}} started")
            .tag_keys(label)
        )
        self._marks.append(json.loads(json.dumps(mark.build(), cls=JSONEncoder)))

    def row(self, title: str) -> None:
        """Begin a new row of panels. A dashboard begins with one: the SDK moves a panel that sits at 0, 0."""
        self._break()
        self._id += 1
        place = model.GridPos(x=0, y=self._y, w=GRID, h=1)
        self._board.with_row(dashboard.Row(title).id(self._id).grid_pos(place))
        self._y += 1

    def add(self, panel: Panel, width: int = 8, height: int = 8) -> None:
        """Place a panel to the right of the last one, or below where there is no room."""
        if self._x + width > GRID:
            self._break()
        self._id += 1
        self._board.with_panel(panel.id(self._id).grid_pos(model.GridPos(x=self._x, y=self._y, w=width, h=height)))
        self._x += width
        self._height = max(self._height, height)

    def build(self) -> dict[str, Any]:
        """Return the dashboard as plain data."""
        built: dict[str, Any] = json.loads(json.dumps(self._board.build(), cls=JSONEncoder))
        built["annotations"] = {"list": self._marks}
        for shown in (*built["links"], *self._marks):
            shown.pop("placement", None)  # the SDK's default hides it in a menu
        for panel in built["panels"]:
            defaults = panel.get("fieldConfig", {}).get("defaults", {})
            if "links" in defaults:  # the SDK takes them for links of a dashboard, which have more keys
                defaults["links"] = [{"title": link["title"], "url": link["url"]} for link in defaults["links"]]
        return built

    def _break(self) -> None:
        self._x, self._y, self._height = 0, self._y + self._height, 0
