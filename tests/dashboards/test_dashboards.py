"""Every dashboard loads, asks for what exists, and explains itself."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import dashboards
from components.catalogue import CLUSTER, DERIVED, EXPOSED, METRICS, SENDING, VICTORIA_NODES, exposed_series
from components.config.stack import DASHBOARDS
from components.promql import metrics_in
from components.rules import StackLimits
from operations.units import with_unit
from tests.rules.promtool import run
from tests.rules.recorded import RECORDED_BY_THE_STACK

ROOT = Path(__file__).parents[2]
BUILT = {name: dashboards.load(name).build(StackLimits({})) for name in dashboards.CATALOGUE}
EVERY_DASHBOARD = pytest.mark.parametrize("name", dashboards.CATALOGUE)
KNOWN = {series for path in METRICS.iterdir() for series in exposed_series(path.stem)}
RECORDED = RECORDED_BY_THE_STACK | {
    rule["record"]
    for path in (ROOT / "rules").glob("*.yaml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}


def panels(name: str) -> list[dict[str, Any]]:
    """Return the panels that ask for data; rows are headings."""
    return [panel for panel in BUILT[name]["panels"] if panel["type"] != "row"]


def asked(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each query with the title of its panel, those of the annotations too."""
    for panel in panels(name):
        for target in panel["targets"]:
            yield panel["title"], target
    for mark in BUILT[name]["annotations"]["list"]:
        yield mark["name"], mark


def with_values(expression: str) -> str:
    """Replace Grafana's variables as Grafana would, with everything chosen."""
    expression = expression.replace("$__rate_interval", "5m").replace("$__range", "1h")
    return re.sub(r"\$[a-z_]+\b", ".*", expression)


def strings(value: object) -> Iterator[str]:
    """Yield every string in nested data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


@EVERY_DASHBOARD
def test_modules_keep_their_contract(name: str) -> None:
    """Folders, links and what a dashboard needs are read from the module, without building it."""
    module = dashboards.load(name)
    assert (BUILT[name]["uid"], BUILT[name]["title"]) == (module.UID, module.TITLE)
    assert re.fullmatch(r"[a-z0-9-]{1,40}", module.UID)
    assert module.FOLDER
    products = yaml.safe_load((ROOT / "components" / "versions.yaml").read_text())
    assert {*products, *EXPOSED, *DERIVED, *CLUSTER, SENDING, VICTORIA_NODES} >= module.NEEDS | module.ONE_OF


def test_uids_and_titles_are_unique() -> None:
    """Grafana takes one of two that share a uid, or a title in a folder, and does not say which."""
    modules = [dashboards.load(name) for name in dashboards.CATALOGUE]
    assert len({module.UID for module in modules}) == len(modules)
    assert len({(module.FOLDER, module.TITLE) for module in modules}) == len(modules)


def test_every_dashboard_has_a_name_in_stack_files() -> None:
    """A module that no stack file can name would never be provisioned."""
    folder = Path(dashboards.__file__).parent
    found = {path.stem.replace("_", "-") for path in folder.glob("*.py") if "\ndef build(" in path.read_text()}
    assert found == {*DASHBOARDS}


def test_unknown_names_are_refused() -> None:
    """The error lists what there is."""
    with pytest.raises(KeyError, match="api-overview"):
        dashboards.load("nothing")


@EVERY_DASHBOARD
def test_panels_can_be_told_apart(name: str) -> None:
    """Without ids Grafana mixes panels up; without reference ids it runs one query of several."""
    ids = [panel["id"] for panel in BUILT[name]["panels"]]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 0
    titles = [panel["title"] for panel in panels(name)]
    assert sorted(set(titles)) == sorted(titles)  # in words, too: reports name them
    for panel in panels(name):
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)


@EVERY_DASHBOARD
def test_panels_explain_themselves(name: str) -> None:
    """A number without a unit, or a line without a meaning, helps nobody at night."""
    for panel in panels(name):
        assert panel["description"].endswith("."), panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        with_unit(1.0, defaults["unit"])  # one that this project knows how to write
        if panel["type"] == "heatmap":
            continue
        steps = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert steps[0] is None, panel["title"]
        assert steps[1:] == sorted(steps[1:]), panel["title"]


@EVERY_DASHBOARD
def test_limits_are_drawn_as_lines(name: str) -> None:
    """Grafana hides thresholds in graphs unless told to draw them."""
    for panel in panels(name):
        if panel["type"] == "timeseries":
            limited = len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1
            style = panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"]
            assert style == ("dashed" if limited else "off"), panel["title"]


@EVERY_DASHBOARD
def test_there_are_fewer_than_fifty_panels_and_none_covers_another(name: str) -> None:
    """Browsers slow down from fifty on."""
    assert len(panels(name)) < 50
    taken: dict[tuple[int, int], str] = {}
    for panel in BUILT[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for cell in (
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} covers {taken[cell]}"
            taken[cell] = panel["title"]


@EVERY_DASHBOARD
def test_the_data_source_is_chosen_by_the_reader(name: str) -> None:
    """A fixed uid breaks in every other Grafana."""
    board = BUILT[name]
    first, *filters = board["templating"]["list"]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert "environment" in [one["name"] for one in filters]
    places = [panel["datasource"] for panel in panels(name)] + [target["datasource"] for _, target in asked(name)]
    places += [one["datasource"] for one in filters]
    assert places
    assert all(place == {"type": "prometheus", "uid": "${datasource}"} for place in places)


@EVERY_DASHBOARD
def test_filters_offer_what_there_is(name: str) -> None:
    """Of a metric that exists, anew with each time range; "All" matches series without the label, too."""
    _, *filters = BUILT[name]["templating"]["list"]
    for one in filters:
        asked_of = re.fullmatch(r"label_values\((.+), (\w+)\)", one["query"])
        assert asked_of
        assert set(metrics_in(with_values(asked_of[1]))) <= KNOWN | RECORDED
        assert asked_of[2] == one["name"]
        assert (one["refresh"], one["multi"], one["includeAll"], one["allValue"]) == (2, True, True, ".*")
        assert one["label"]
        assert one["description"].endswith(".")


@EVERY_DASHBOARD
def test_dashboards_change_in_the_repository_only(name: str) -> None:
    """An edit in the browser would be lost with the next deployment."""
    assert BUILT[name]["editable"] is False


@EVERY_DASHBOARD
def test_variables_that_are_used_exist_and_the_other_way_round(name: str) -> None:
    """A filter that filters nothing misleads; a variable that is missing is sent as it stands."""
    defined = {one["name"] for one in BUILT[name]["templating"]["list"]}
    used = {found for text in strings(BUILT[name]) for found in re.findall(r"\$\{?([a-z][a-z_]*)\b", text)}
    assert used == defined


@EVERY_DASHBOARD
def test_windows_follow_the_scrape_interval_and_the_time_range(name: str) -> None:
    """A fixed window is empty at a long scrape interval and hides peaks at a short one."""
    spoken = {panel["title"]: panel["description"] for panel in panels(name)}
    for title, target in asked(name):
        for function, window in re.findall(r"\b(i?rate|increase)\([^\[]*\[([^\]]+)\]", target["expr"]):
            if function == "increase" and re.fullmatch(r"\d+m", window):  # what an alert counts
                assert f"in {window[:-1]} minutes" in spoken[title]
            else:
                assert window == {"rate": "$__rate_interval", "increase": "$__range"}[function], title


@EVERY_DASHBOARD
def test_prometheus_can_parse_every_query(name: str, tmp_path: Path) -> None:
    """As promtool judges it, with the variables replaced."""
    rules = [
        {"record": f"panel:query:{number}", "expr": with_values(target["expr"]), "labels": {"title": title}}
        for number, (title, target) in enumerate(asked(name))
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}))
    checked = run("check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@EVERY_DASHBOARD
def test_every_metric_is_exposed_or_recorded(name: str) -> None:
    """A panel on a metric that does not exist is empty for ever."""
    missing = {title: set(metrics_in(with_values(target["expr"]))) - KNOWN - RECORDED for title, target in asked(name)}
    assert {title: metrics for title, metrics in missing.items() if metrics} == {}


@EVERY_DASHBOARD
def test_the_sdk_reads_back_what_was_written(name: str) -> None:
    """Its types are those of Grafana's schema: a field that it does not know would be lost on the way."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(BUILT[name]), cls=JSONEncoder))
    for link in again["links"]:
        link.pop("placement", None)
    again["annotations"] = {"list": again["annotations"].get("list", [])}
    for mark in again["annotations"]["list"]:
        mark.pop("placement", None)
    for panel in again["panels"]:
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if "links" in defaults:
            defaults["links"] = [{key: link[key] for key in ("title", "url")} for link in defaults["links"]]
    assert again == BUILT[name]


def test_naming_dashboards_does_not_load_the_sdk() -> None:
    """The plan lists dashboards on every preview; the SDK costs more than the rest of the plan."""
    code = "import sys, dashboards; sys.exit(any('grafana' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
