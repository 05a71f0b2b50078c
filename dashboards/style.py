"""The house style: how every dashboard is laid out, coloured, linked and filtered.

Classic dashboard JSON, because it is the one form that file provisioning of Grafana 12.4 and 13 both load. The SDK
leaves out panel ids, reference ids and the list of annotations, without which Grafana mixes panels up or does not
load the dashboard: they are set here, once.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.parameters import Limits

with warnings.catch_warnings():
    # Modules of the SDK warn of their own dashboard classes when they are imported, in favour of a schema that
    # Grafana 12 does not provision from files.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models import prometheus as queries

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "observatory"
GRID = 24
GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"


@dataclass(frozen=True)
class Query:
    """One PromQL expression of a panel. `exemplar` asks for the traces behind a histogram's samples."""

    expr: str
    legend: str = ""
    exemplar: bool = False


@dataclass(frozen=True)
class Limit:
    """From `value` on, in the panel's unit, the colour changes; in a graph that is a dashed line."""

    value: float
    colour: str = RED
    alert: str = ""
    """The alert that compares with the same number, if one does."""


def rate(metric: str, labels: str) -> str:
    """The growth per second of a counter, over the shortest window that holds enough scrapes."""
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def targets(*asked: Query) -> list[prometheus.Dataquery]:
    """Queries over the time range, called A, B, C, ..."""
    return [
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .ref_id(chr(ord("A") + number))
        .expr(query.expr)
        .legend_format(query.legend or "__auto")
        .exemplar(query.exemplar)
        .range()
        for number, query in enumerate(asked)
    ]


def thresholds(limits: Sequence[Limit], base: str = GREEN) -> dashboard.ThresholdsConfig:
    """Colour `base` below the first limit. Limits are given in ascending order."""
    steps = [
        model.Threshold(value=None, color=base),
        *(model.Threshold(value=at.value, color=at.colour) for at in limits),
    ]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def graph(
    title: str,
    description: str,
    unit: str,
    *asked: Query,
    limits: Sequence[Limit] = (),
    base: str = GREEN,
    stacked: bool = False,
    most: float | None = None,
) -> timeseries.Panel:
    """Lines over time. `most` fixes the top of the axis, for shares that end at 1."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .calcs([])
        )
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .thresholds(thresholds(limits, base))
        .thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED if limits else common.GraphThresholdsStyleMode.OFF
            )
        )
    )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if most is not None:
        panel.max(most)
    for target in targets(*asked):
        panel.with_target(target)
    return panel


def number(
    title: str, description: str, unit: str, query: Query, limits: Sequence[Limit] = (), base: str = GREEN
) -> stat.Panel:
    """One large number, the latest, with its course behind it, in the colour of the limit that it passed."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(thresholds(limits, base))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .with_target(targets(query)[0])
    )


def listing(
    title: str,
    description: str,
    unit: str,
    query: Query,
    columns: Sequence[str],
    value: str,
    limits: Sequence[Limit] = (),
    base: str = GREEN,
    ascending: bool = False,
) -> table.Panel:
    """A table of the latest values: the labels in `columns`, then the value, called `value`, which sorts the rows."""
    now = targets(query)[0].instant().format(queries.PromQueryFormat.TABLE)
    names = [*columns, "Value"]
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(thresholds(limits, base))
        .with_target(now)
        .with_transformation(
            model.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": names}})
        )
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {},
                    "indexByName": {name: place for place, name in enumerate(names)},
                    "renameByName": {"Value": value},
                },
            )
        )
        .override_by_name(value, [model.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"})])
        .sort_by([common_builders.TableSortByFieldState().display_name(value).desc(not ascending)])
    )


def variable(name: str, label: str, description: str, values: str) -> dashboard.QueryVariable:
    """A filter by the label values that `values`, a label_values() query, finds.

    "All" is sent as `.*`, which also matches series without the label: Prometheus adds `environment` to what leaves
    it, not to what it answers itself, and the same dashboard has to work with and without it.
    """
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query(values)
        .definition(values)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(text=["All"], value=["$__all"], selected=True))
    )


class Board:
    """A dashboard in the making: rows of panels, placed from left to right and from top to bottom."""

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
        self._id = self._x = self._y = self._height = 0

    def limit(self, alert: str, colour: str = RED, parameter: str = "threshold") -> Limit:
        """Where this stack's alert fires."""
        return Limit(self._limits(alert, parameter), colour, alert)

    def variable(self, new: dashboard.QueryVariable) -> None:
        """Add a filter to the right of those there are."""
        self._board.with_variable(new)

    def row(self, title: str) -> None:
        """Begin a new row of panels. A dashboard begins with one: the SDK moves a panel that sits at 0, 0."""
        self._break()
        self._id += 1
        place = model.GridPos(x=0, y=self._y, w=GRID, h=1)
        self._board.with_row(dashboard.Row(title).id(self._id).grid_pos(place))
        self._y += 1

    def add(self, panel: timeseries.Panel | stat.Panel | table.Panel, width: int = 8, height: int = 8) -> None:
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
        built["annotations"] = {"list": []}
        for link in built["links"]:
            del link["placement"]  # the SDK's default hides the link in a menu
        return built

    def _break(self) -> None:
        self._x, self._y, self._height = 0, self._y + self._height, 0
