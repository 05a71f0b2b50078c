"""The kinds of panels: graphs and heat maps over time; numbers, gauges, bars and tables of what is now; timelines."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # see style.py
    from grafana_foundation_sdk.builders import (
        bargauge,
        dashboard,
        gauge,
        heatmap,
        stat,
        statetimeline,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.cog import builder
    from grafana_foundation_sdk.models import common
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models import heatmap as heatmap_model
    from grafana_foundation_sdk.models import prometheus as queries

from dashboards.style import DATASOURCE, GREEN, Limit, Link, Query, colours, explained, lines, targets

Panel = timeseries.Panel | stat.Panel | gauge.Panel | bargauge.Panel | heatmap.Panel | statetimeline.Panel | table.Panel


def graph(
    title: str,
    description: str,
    unit: str,
    *asked: Query,
    limits: Sequence[Limit] = (),
    stacked: bool = False,
    least: float | None = 0,
    most: float | None = None,
    link: Link | None = None,
) -> timeseries.Panel:
    """Lines over time. `least` and `most` fix the ends of the axis: shares end at 1, None follows the values."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(explained(description, limits, drawn=True))
        .datasource(DATASOURCE)
        .unit(unit)
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
        .thresholds(lines(limits))
        .thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED if limits else common.GraphThresholdsStyleMode.OFF
            )
        )
    )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if least is not None:
        panel.min(least)
    if most is not None:
        panel.max(most)
    if link:
        panel.data_links(_links(link))
    for target in targets(*asked):
        panel.with_target(target)
    return panel


def spread(title: str, description: str, unit: str, query: Query) -> heatmap.Panel:
    """A heat map of a histogram: `query` gives the rate of each bucket, by `le`."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("reqps")
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_model.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .fill("dark-orange")
            .scale(heatmap_model.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
        .with_target(targets(Query(query.expr, query.legend or "{{le}}"))[0].format(queries.PromQueryFormat.HEATMAP))
    )


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    limits: Sequence[Limit] = (),
    base: str = GREEN,
    link: Link | None = None,
) -> stat.Panel:
    """One large number for each series, the latest, with its course behind it, in the colour of the limit passed."""
    panel = (
        stat.Panel()
        .title(title)
        .description(explained(description, limits, drawn=False))
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(colours(limits, base))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(_latest())
        .with_target(targets(query)[0])
    )
    return panel.data_links(_links(link)) if link else panel


def dial(
    title: str, description: str, unit: str, query: Query, limits: Sequence[Limit] = (), most: float = 1
) -> gauge.Panel:
    """The latest value between 0 and `most`."""
    return (
        gauge.Panel()
        .title(title)
        .description(explained(description, limits, drawn=False))
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .max(most)
        .thresholds(colours(limits))
        .reduce_options(_latest())
        .with_target(targets(query)[0].instant())
    )


def bars(
    title: str,
    description: str,
    unit: str,
    query: Query,
    limits: Sequence[Limit] = (),
    most: float | None = None,
    base: str = GREEN,
    link: Link | None = None,
) -> bargauge.Panel:
    """One bar for each series with its latest value."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(explained(description, limits, drawn=False))
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .thresholds(colours(limits, base))
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(_latest())
        .with_target(targets(query)[0].instant())
    )
    if most is not None:
        panel.max(most)
    return panel.data_links(_links(link)) if link else panel


def timeline(title: str, description: str, query: Query, states: Mapping[int, tuple[str, str]]) -> statetimeline.Panel:
    """One strip for each series; `states` gives the text and the colour of each value."""
    options = {
        str(value): model.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(states.items())
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .thresholds(colours(()))
        .mappings([model.ValueMap(options=options)])
        .show_value(common.VisibilityMode.NEVER)
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
    link: Link | None = None,
) -> table.Panel:
    """A table of the latest values: the labels in `columns`, then the value, called `value`, which sorts the rows."""
    now = targets(query)[0].instant().format(queries.PromQueryFormat.TABLE)
    names = [*columns, "Value"]
    panel = (
        table.Panel()
        .title(title)
        .description(explained(description, limits, drawn=False))
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(colours(limits, base))
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
        .override_by_name(value, [_option("custom.cellOptions", {"type": "color-text"})])
        .sort_by([common_builders.TableSortByFieldState().display_name(value).desc(not ascending)])
    )
    if link:
        shown = [{"title": link.title, "url": link.url(table=True)}]
        panel.override_by_name(link.label, [_option("links", shown)])
    return panel


def _latest() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _option(name: str, value: Any) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)


def _links(link: Link) -> list[builder.Builder[model.DashboardLink]]:
    return [dashboard.DashboardLink(link.title).type(model.DashboardLinkType.LINK).url(link.url())]
