"""`dashboards`: pages that hold what a dashboard shows, with data or the reason why there is none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import plotly.graph_objects as plotly
import pytest

from components.rules import StackLimits
from dashboards.built import built
from operations.errors import CommandError, UsageError
from operations.http import Endpoint
from operations.pages.dashboards import counted, dashboards_command, planned_dashboards, with_data
from operations.pages.data import PanelData, Series, Window, chosen, legend, panels_of, resolved
from operations.pages.figures import figure, on_grid, ticks
from operations.pages.html import Shown, page
from operations.render import write_tree
from operations.units import with_unit
from tests.operations.fakes import Fake, served
from tests.support import config_of, plan_of, service

WINDOW = Window(start=3600, end=7200, scrape_interval=15)
EMPTY = {"status": "success", "data": {"resultType": "matrix", "result": []}}


def board() -> dict[str, Any]:
    """A dashboard of the catalogue with graphs, numbers, bars, a table and a heat map."""
    import dashboards

    return dashboards.load("red").build(StackLimits({}))


def answer(series: list[dict[str, Any]], kind: str = "matrix") -> dict[str, Any]:
    """An answer of Prometheus' query API."""
    return {"status": "success", "data": {"resultType": kind, "result": series}}


def growing(query: dict[str, str]) -> dict[str, Any]:
    """Two services, one of which has a name that is not for the faint of heart; buckets where `le` is asked for."""
    start, end = float(query.get("start", query.get("time", "0"))), float(query.get("end", query.get("time", "0")))
    step = float(query.get("step", "15"))
    times = [start + step * number for number in range(round((end - start) / step) + 1)]
    found = []
    for place, name in enumerate(("shop", "<script>alert(1)</script>")):
        labels = {"service": name, "route": "/", "status_code": "200", "le": ("0.1", "+Inf")[place]}
        values = [[at, str((place + 1) * (1 + number / 1000))] for number, at in enumerate(times)]
        found.append(
            {"metric": labels, "values": values} if "start" in query else {"metric": labels, "value": values[-1]}
        )
    return answer(found, "matrix" if "start" in query else "vector")


@pytest.fixture
def fake() -> Fake:
    """A Prometheus that has data for everything."""
    server = Fake()
    server.set("/api/v1/status/buildinfo", {"status": "success", "data": {"version": "3.13.5"}})
    server.routes["GET", "/api/v1/query"] = lambda query, _body: (200, growing(query))
    server.routes["GET", "/api/v1/query_range"] = lambda query, _body: (200, growing(query))
    server.set("/api/v1/query_exemplars", {"status": "success", "data": []})
    server.routes["GET", "/api/v1/label*"] = lambda _query, _body: (200, {"status": "success", "data": ["shop"]})
    return server


@pytest.fixture
def prometheus(fake: Fake) -> Iterator[Endpoint]:
    """How it is reached."""
    with served({"prometheus": fake}) as endpoints:
        yield endpoints["prometheus"]


def shown(prometheus: Endpoint | None = None) -> Shown:
    """The dashboard, with data where a Prometheus is given."""
    bare = Shown("red", "Services", board())
    return with_data([bare], prometheus, WINDOW)[0] if prometheus else bare


# Queries


def test_variables_take_all_values_and_windows_fit_the_scrape_interval() -> None:
    """As Grafana computes them: four scrapes at least, more where a graph's step is longer."""
    query = 'sum(rate(a{service=~"$service", environment=~"${environment}"}[$__rate_interval])) / $unknown'
    assert resolved(query, board(), WINDOW) == 'sum(rate(a{service=~".*", environment=~".*"}[60s])) / $unknown'
    assert resolved("a[$__range]", board(), WINDOW) == "a[3600s]"
    day = Window(0, 86400, 15)
    assert (day.step, day.rate_interval) == (360, 375)


def test_a_query_with_a_longer_interval_of_its_own_gets_longer_windows(fake: Fake, prometheus: Endpoint) -> None:
    """Two samples have to be in each window, or there is no rate at all."""
    import dashboards

    asked: list[str] = []

    def remember(query: dict[str, str], _body: Any) -> tuple[int, Any]:
        asked.append(query["query"])
        return 200, growing(query)

    fake.routes["GET", "/api/v1/query_range"] = remember
    with_data([Shown("x", "x", dashboards.load("neo4j-aura").build(StackLimits({})))], prometheus, WINDOW)
    assert {window for query in asked for window in re.findall(r"rate\([^\[]*\[(\w+)\]", query)} == {"240s"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{service}} p95", "shop p95"),
        ("{{missing}} {{service}}", "shop"),
        ("{{missing}}", "value"),
        ("__auto", 'up{service="shop"}'),
    ],
)
def test_series_are_named_by_the_legend(template: str, expected: str) -> None:
    """A label that a series lacks leaves no hole."""
    assert legend(template, {"__name__": "up", "service": "shop"}) == expected


def test_every_panel_has_data_where_every_query_is_answered(prometheus: Endpoint) -> None:
    """The values of the variables and the moments of starts are asked for, too."""
    result = shown(prometheus)
    assert result.data
    assert result.without == {}
    assert all(one.series for one in result.data.panels.values())
    assert result.data.variables == {"environment": ["shop"], "service": ["shop"]}


def test_a_panel_without_data_says_why(fake: Fake, prometheus: Endpoint) -> None:
    """Metrics that are not there; metrics of which none meets the condition; values that are no numbers; errors."""

    def one(query: dict[str, str], _body: Any) -> tuple[int, Any]:
        text = query["query"]
        if text.startswith("count(service_route:"):
            return 200, growing(query)
        if "status_code" in text and "by (service)" in text:
            return 400, {"status": "error", "errorType": "bad_data", "error": "too many samples"}
        if text.startswith("service:http_request_duration_seconds:p50"):
            return 200, answer([{"metric": {}, "values": [[3600, "NaN"]]}])
        return 200, EMPTY

    fake.routes["GET", "/api/v1/query"] = fake.routes["GET", "/api/v1/query_range"] = one
    without = shown(prometheus).without
    assert without["Requests"] == "no series: service:http_requests:rate5m"
    assert without["Busiest routes"] == "no series meets its condition in this time range; its metrics are there"
    assert without["Median over time"].startswith("its series have no value yet")
    assert without["Client errors by service"].startswith("query A failed: prometheus answers")
    assert "too many samples" in without["Client errors by service"]


def test_starts_in_the_window_are_marked(fake: Fake, prometheus: Endpoint) -> None:
    """A start before the window is not in the picture."""

    def starts(query: dict[str, str], _body: Any) -> tuple[int, Any]:
        if "process_start_time_seconds" not in query["query"]:
            return 200, EMPTY
        values = [[7000, "100000"], [7015, "5000000"], [7030, "5000000"]]
        return 200, answer([{"metric": {"service": "shop"}, "values": values}])

    fake.routes["GET", "/api/v1/query_range"] = starts
    result = shown(prometheus)
    assert result.data
    assert list(result.data.marks) == [(5000.0, "shop started")]


def test_requests_with_a_trace_are_dots_in_their_graph(fake: Fake, prometheus: Endpoint) -> None:
    """Asked for where the dashboard asks for them; of very many, evenly chosen ones are shown."""
    asked: list[str] = []

    def exemplars(query: dict[str, str], _body: Any) -> tuple[int, Any]:
        asked.append(query["query"])
        many = [{"labels": {"trace_id": f"{n:032x}"}, "value": "0.7", "timestamp": 3600 + n} for n in range(1000)]
        return 200, {"status": "success", "data": [{"seriesLabels": {}, "exemplars": many}]}

    fake.routes["GET", "/api/v1/query_exemplars"] = exemplars
    result = shown(prometheus)
    assert result.data
    (one,) = [panel for panel in result.data.panels.values() if panel.exemplars]
    assert one.panel["title"] == "95th percentile over time"
    assert "[60s]" in asked[0]
    assert len(one.exemplars) == 112
    assert (one.exemplars[1].at, one.exemplars[1].trace) == (3609.0, f"{9:032x}")
    dots = figure(one, WINDOW, ())["data"][-1]
    assert (dots["mode"], dots["text"][0]) == ("markers", f"700 ms, trace {0:032x}")


# Figures


def data(kind: str, *series: Series) -> PanelData:
    """A panel of this type from the dashboard, with these series."""
    return PanelData(next(panel for panel in panels_of(board()) if panel["type"] == kind), series)


def test_figures_are_what_plotly_understands(prometheus: Endpoint) -> None:
    """Its own validation refuses an unknown property or a wrong value; colours are put in by the page."""
    result = shown(prometheus)
    assert result.data
    drawn = [one for one in result.data.panels.values() if one.panel["type"] in ("timeseries", "heatmap")]
    assert {one.panel["type"] for one in drawn} == {"timeseries", "heatmap"}
    for one in drawn:
        text = json.dumps(figure(one, WINDOW, [(5000.0, "shop started")]))
        plotly.Figure(json.loads(re.sub(r"var\(--[\w-]+\)(/[\d.]+)?", "#123456", text).replace("inherit", "serif")))


def test_gaps_stay_gaps() -> None:
    """A line over an outage would claim values that nobody measured."""
    series = Series("a", {}, ((3600, 1.0), (3615, 2.0), (3645, 4.0), (3660, math.nan), (3675, math.inf)))
    assert on_grid(series, WINDOW)[:6] == [1.0, 2.0, None, 4.0, None, None]
    assert len(on_grid(series, WINDOW)) == 241


def test_limits_are_drawn_unless_they_are_far_above() -> None:
    """10000 requests a second over a line at 5 would press it flat; at 6000 it belongs into the picture."""
    low = figure(data("timeseries", Series("a", {}, ((3600, 5.0), (3615, 6.0)))), WINDOW, ())
    high = figure(data("timeseries", Series("a", {}, ((3600, 5000.0), (3615, 6000.0)))), WINDOW, ())
    assert low["layout"]["shapes"] == []
    (line,) = high["layout"]["shapes"]
    assert (line["y0"], line["y1"], line["line"]["color"], line["line"]["dash"]) == (
        10_000,
        10_000,
        "var(--red)",
        "dash",
    )
    assert high["layout"]["yaxis"]["range"][1] > 10_000 > low["layout"]["yaxis"]["range"][1]


def test_buckets_of_a_heat_map_do_not_count_twice() -> None:
    """Each bucket of a histogram holds those below it: 5 of 8 were fast, so 3 were slow. Empty ends are left out."""
    buckets = (("+Inf", 8.0), ("0.1", 5.0), ("1", 8.0), ("0.01", 0.0))
    panel = data("heatmap", *(Series(le, {"le": le}, ((3600, value),)) for le, value in buckets))
    (trace,) = figure(panel, WINDOW, ())["data"]
    assert trace["y"] == ["≤ 100 ms", "≤ 1 s"]
    assert [row[0] for row in trace["text"]] == ["5 req/s", "3 req/s"]


@pytest.mark.parametrize(
    ("low", "high", "unit", "expected"),
    [
        (0, 1, "percentunit", ["0%", "20%", "40%", "60%", "80%", "100%"]),
        (0, 0.0052, "percentunit", ["0%", "0.2%", "0.4%"]),
        (0, 3 * 2**20, "bytes", ["0 B", "1 MiB", "2 MiB", "3 MiB"]),
        (0, 0.45, "s", ["0 s", "100 ms", "200 ms", "300 ms", "400 ms"]),
        (-1, 1, "none", ["-1", "-0.5", "0", "0.5", "1"]),
    ],
)
def test_ticks_are_round_in_their_unit(low: float, high: float, unit: str, expected: list[str]) -> None:
    """A tick at 1048576 B is read as 1 MiB."""
    assert ticks(low, high, unit)[1] == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.01234, "percentunit", "1.23%"),
        (1536, "bytes", "1.5 KiB"),
        (1536, "Bps", "1.5 KiB/s"),
        (0.0005, "s", "500 µs"),
        (90, "s", "1.5 min"),
        (176400, "s", "2.04 d"),
        (0, "s", "0 s"),
        (12345, "reqps", "12.3K req/s"),
        (531000, "currencyUSD", "$531K"),
        (-3, "none", "-3"),
        (999.9, "short", "1000"),
        (math.nan, "short", "-"),
        (math.inf, "s", "∞"),
    ],
)
def test_numbers_are_written_with_their_unit(value: float, unit: str, expected: str) -> None:
    """Three digits are what is read at a glance."""
    assert with_unit(value, unit) == expected


def test_an_unknown_unit_is_an_error() -> None:
    """Without a word, it would be shown as a bare number."""
    with pytest.raises(KeyError):
        with_unit(1, "furlongs")


# Pages


def test_a_page_without_data_shows_what_each_panel_asks_and_carries_no_script() -> None:
    """Title, meaning, unit, limit and query of every panel, in a file that is complete in itself."""
    text = page(shown(), "", WINDOW)
    readable = unescape(text)
    for panel in panels_of(board()):
        assert panel["title"] in readable
        assert panel["description"] in readable
        assert all(target["expr"] in readable for target in panel["targets"])
    assert "<script" not in text
    assert len(text) < 60_000
    assert not re.search(r"(src|href)=.?(https?:)?//", text)


def test_a_page_with_data_draws_offline_and_trusts_no_label(prometheus: Endpoint) -> None:
    """A label that is written like HTML stays text, in the page and in the figures' JSON."""
    text = page(shown(prometheus), "http://127.0.0.1:9090", WINDOW)
    assert "plotly.js v" in text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
    figures = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert figures
    drawn = json.loads(figures[1])
    assert {f"panel-{one['id']}" for one in panels_of(board()) if one["type"] in ("timeseries", "heatmap")} == set(
        drawn
    )
    names = [trace.get("name") for one in drawn.values() for trace in one["data"]]
    assert "<script>alert(1)</script>" in names
    assert all(f'id="{place}"' in text for place in drawn)


def test_panels_stand_where_grafana_puts_them() -> None:
    """24 columns, rows from 1 on."""
    text = page(shown(), "", WINDOW)
    for panel in board()["panels"]:
        place = panel["gridPos"]
        column, row = f"{place['x'] + 1} / span {place['w']}", f"{place['y'] + 1} / span {place['h']}"
        assert f"grid-column:{column};grid-row:{row}" in text


def test_numbers_take_the_colour_of_the_limit_that_they_passed(prometheus: Endpoint) -> None:
    """1 to 1.2 s is above the 500 ms of APIHighLatency; a bar of 100 % is above its 1 % of errors."""
    text = page(shown(prometheus), "", WINDOW)
    assert '<strong style="color:var(--red)">1.' in text
    assert '<b style="color:var(--red)">' in text
    assert '<b style="color:var(--blue)">' in text  # busiest routes: more is not worse


# The command


def test_the_pages_of_a_stack_are_those_of_its_grafana(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An index leads to each; a second run changes nothing; the counts are for scripts."""
    assert dashboards_command("prod", tmp_path / "out", None, "1h", None, None, False, True) == 0
    numbers = json.loads(capsys.readouterr().out)
    planned = planned_dashboards(config_of("prod"), plan_of("prod"))
    provisioned = [
        file.path for file in service(plan_of("prod"), "grafana").files if file.path.startswith("dashboards/")
    ]
    assert sorted(f"dashboards/{one.folder}/{one.name}.json" for one in planned) == sorted(provisioned)
    assert [one["name"] for one in numbers["dashboards"]] == [one.name for one in planned]
    assert numbers["total"]["panels"] == sum(len(panels_of(one.board)) for one in planned)
    assert numbers["total"]["with_data"] is None
    index = (tmp_path / "out" / "index.html").read_text()
    for one in planned:
        assert f'href="{one.file}"' in index
        assert (tmp_path / "out" / one.file).is_file()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert dashboards_command("prod", tmp_path / "out", None, "1h", None, None, False, True) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.html")}.items() <= before.items()


def test_panels_without_data_are_counted_with_their_reasons(fake: Fake, prometheus: Endpoint) -> None:
    """What a script asserts on: how many, which, and why."""
    fake.routes["GET", "/api/v1/query"] = lambda _query, _body: (200, EMPTY)
    numbers = counted("test", [shown(prometheus)])
    (one,) = numbers["dashboards"]
    assert numbers["total"] == {"dashboards": 1, "panels": 14, "queries": 14, "with_data": one["with_data"]}
    assert one["with_data"] + len(one["without_data"]) == 14
    assert {panel["panel"] for panel in one["without_data"]} == {
        panel["title"] for panel in panels_of(board()) if panel["targets"][0]["instant"]
    }


def test_with_data_from_the_command_line(
    prometheus: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last lines say how many panels have data."""
    assert dashboards_command("dev", tmp_path / "out", prometheus.url, "15m", None, None, False, False) == 0
    said = capsys.readouterr().out
    assert re.search(r"(\d+) of \1 panels have data", said)
    assert "plotly.js v" in (tmp_path / "out" / "node.html").read_text()


@pytest.mark.parametrize(
    ("url", "since", "error", "said"),
    [
        ("http://127.0.0.1:9", "1h", CommandError, "cannot be reached"),
        ("127.0.0.1:9090", "1h", UsageError, "is no address"),
        ("http://me:secret@127.0.0.1:9090", "1h", UsageError, "has a login in it"),
        (None, "yesterday", UsageError, "--since yesterday is no time range"),
        (None, "1m", UsageError, "give a duration from 5m to 90d"),
    ],
)
def test_errors_come_before_anything_is_written(
    url: str | None, since: str, error: type[CommandError], said: str, tmp_path: Path
) -> None:
    """No folder, no half of the pages; a password is not repeated."""
    with pytest.raises(error, match=re.escape(said)) as raised:
        dashboards_command("dev", tmp_path / "out", url, since, None, None, False, False)
    assert "secret" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_prometheus_that_is_none_is_an_error(fake: Fake, prometheus: Endpoint) -> None:
    """Another program on that port."""
    fake.set("/api/v1/status/buildinfo", "<html>", 200)
    with pytest.raises(CommandError, match="no JSON"):
        shown(prometheus)


def test_files_of_others_are_not_overwritten(tmp_path: Path) -> None:
    """Not even those that another command wrote: they would be taken for stale pages and removed."""
    (tmp_path / "mine").write_text("")
    write_tree(tmp_path, {"prometheus/prometheus.yml": ""}, force=True)
    with pytest.raises(CommandError, match="`dashboards` did not write"):
        dashboards_command("dev", tmp_path, None, "1h", None, None, False, False)
    assert dashboards_command("dev", tmp_path, None, "1h", None, None, True, False) == 0
    assert (tmp_path / "mine").read_text() == ""
    assert (tmp_path / "prometheus/prometheus.yml").is_file()


def test_a_choice_that_is_provisioned_is_the_one_that_is_shown() -> None:
    boards = {board.file: json.loads(board.text) for board in built(StackLimits({}), {}, ["web"])}
    (panel,) = (panel for panel in panels_of(boards["team-web"]) if panel["title"] == "Services")
    expression = panel["targets"][0]["expr"]
    assert 'team=~"web"' in resolved(expression, boards["team-web"], WINDOW)
    assert 'environment=~".*"' in resolved(expression, boards["team-web"], WINDOW)
    (own,) = (each for each in boards["team-web"]["templating"]["list"] if each["name"] == "team")
    (usual,) = (each for each in boards["red"]["templating"]["list"] if each["name"] == "service")
    assert (chosen(own), chosen(usual)) == (["web"], [])
