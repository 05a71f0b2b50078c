"""The house style: colours, queries, limits and filters that every dashboard shares.

Classic dashboard JSON, because it is the one form that file provisioning of Grafana 12.4 and 13 both load.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

with warnings.catch_warnings():
    # Modules of the SDK warn of their own dashboard classes when they are imported, in favour of a schema that
    # Grafana 12 does not provision from files.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard, prometheus
    from grafana_foundation_sdk.models import common
    from grafana_foundation_sdk.models import dashboard as model

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
SERVICE = 'service=~"$service", environment=~"$environment"'
"""Chooses the series of the services that the reader chose."""


@dataclass(frozen=True)
class Query:
    """One PromQL expression of a panel. `exemplar` asks for the traces behind a histogram's samples.

    `every` is how often its series are scraped, where that is less often than others: windows grow with it.
    """

    expr: str
    legend: str = ""
    exemplar: bool = False
    every: str = ""


@dataclass(frozen=True)
class Limit:
    """From `value` on, or below it, in the panel's unit, the colour changes; in a graph that is a dashed line."""

    value: float
    colour: str = RED
    alert: str = ""
    """The alert that compares with the same number, if one does."""
    below: bool = False
    """It is the low values that are bad."""


@dataclass(frozen=True)
class Link:
    """Leads from a series to the dashboard `uid`, with the value of the series' `label` chosen there."""

    title: str
    uid: str
    label: str = "service"

    def url(self, table: bool = False) -> str:
        """Relative to Grafana; datasource, environment and time range stay."""
        value = f"${{__data.fields.{self.label}}}" if table else f"${{__field.labels.{self.label}}}"
        kept = "${datasource:queryparam}&${environment:queryparam}&${__url_time_range}"
        return f"/d/{self.uid}?var-{self.label}={value}&{kept}"


def rate(metric: str, labels: str) -> str:
    """The growth per second of a counter, over the shortest window that holds enough scrapes."""
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def share(part: str, whole: str) -> str:
    """Part of a whole: 0, not nothing, where the part has no series; nothing where the whole is 0."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def targets(*asked: Query) -> list[prometheus.Dataquery]:
    """Queries over the time range, called A, B, C, ..."""
    return [_target(chr(ord("A") + number), query) for number, query in enumerate(asked)]


def _target(name: str, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).ref_id(name).expr(query.expr).range()
    target.legend_format(query.legend or "__auto").exemplar(query.exemplar)
    return target.interval(query.every) if query.every else target


def colours(limits: Sequence[Limit], base: str = GREEN) -> dashboard.ThresholdsConfig:
    """Colours of values: `base` below the first limit.

    Below a limit that is `below` its own colour holds, and `base` above the last of them.
    """
    limits = sorted(limits, key=lambda limit: limit.value)
    if limits and limits[0].below:
        above = [*(limit.colour for limit in limits[1:]), base]
        return _steps(limits[0].colour, [(at.value, colour) for at, colour in zip(limits, above, strict=True)])
    return _steps(base, [(at.value, at.colour) for at in limits])


def lines(limits: Sequence[Limit]) -> dashboard.ThresholdsConfig:
    """Lines in a graph, each in its limit's colour."""
    return _steps(GREEN, [(at.value, at.colour) for at in sorted(limits, key=lambda limit: limit.value)])


def _steps(base: str, others: Sequence[tuple[float, str]]) -> dashboard.ThresholdsConfig:
    steps = [model.Threshold(value=None, color=base)]
    steps += [model.Threshold(value=value, color=colour) for value, colour in others]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def explained(description: str, limits: Sequence[Limit], drawn: bool) -> str:
    """A panel's description, with the alerts that fire at its limits: the text cannot say another than the line."""
    names = list(dict.fromkeys(limit.alert for limit in limits if limit.alert))
    if not names:
        return description
    fires = f"{' and '.join(names)} {'fires' if len(names) == 1 else 'fire'}"
    below = next(limit for limit in limits if limit.alert).below
    where = ("Below" if below else "Above") + (" the line" if len(names) == 1 else " the lines")
    return f"{description} {where} {fires}." if drawn else f"{description} The colour changes where {fires}."


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
