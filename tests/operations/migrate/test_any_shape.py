"""Files of any shape at all end in items or in one clear error, never in a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.yaml_text import dump, load
from operations.errors import CommandError
from operations.migrate.alertmanager_file import migrate_alertmanager
from operations.migrate.compose import migrate_compose
from operations.migrate.datadog.monitors import Monitors
from operations.migrate.kube_prometheus_stack import migrate_values
from operations.migrate.prometheus_file import migrate_prometheus
from operations.migrate.report import Node
from operations.migrate.rules import migrate_rules
from tests.operations.migrate.support import assert_complete, bundle
from tests.operations.migrate.test_datadog import MONITORS
from tests.operations.migrate.test_origins import COMPOSE, VALUES
from tests.operations.migrate.test_prometheus_files import ALERTMANAGER, PROMETHEUS, RULES

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 0, 7, -1.5, True, [], {}, [None], [[]], ["x"], {"x": 1}, {"x": None}, [{"x": []}]]
)
CHANGES = settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below some data."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = []
    for key, value in list(pairs):
        found += [(data, key), *places(value)]
    return found


@st.composite
def changed(draw: st.DrawFn, text: str) -> Any:
    """The data of a good file with one to three values of another shape in it."""
    data = load(text)
    for _ in range(draw(st.integers(1, 3))):
        found = places(data)
        if found:
            container, key = found[draw(st.integers(0, len(found) - 1))]
            container[key] = copy.deepcopy(draw(ODD))
    return data


@CHANGES
@given(changed(PROMETHEUS))
def test_a_prometheus_file(data: Any) -> None:
    made, root = bundle(), Node("f", (), data)
    migrate_prometheus(made, root, None)
    assert_complete(made.report, root)


@CHANGES
@given(changed(ALERTMANAGER))
def test_an_alertmanager_file(data: Any) -> None:
    made, root = bundle(), Node("f", (), data)
    migrate_alertmanager(made, root)
    assert_complete(made.report, root)


@CHANGES
@given(changed(RULES))
def test_a_rule_file(data: Any) -> None:
    made, root = bundle(), Node("f", (), data)
    if groups := root.get("groups"):
        migrate_rules(made, groups, "rules", set())
    made.report.rest(root, "why")
    assert_complete(made.report, root)


@CHANGES
@given(changed(VALUES))
def test_values(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.mktemp("values") / "values.yaml"
    path.write_text(dump(data))
    made = bundle()
    try:
        migrate_values(made, path, None, "web")
    except CommandError:
        return
    assert_complete(made.report, Node("values.yaml", (), load(path.read_text())))


@CHANGES
@given(changed(COMPOSE))
def test_a_compose_file(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path: Path = tmp_path_factory.mktemp("compose") / "compose.yml"
    path.write_text(dump(data))
    made = bundle()
    try:
        migrate_compose(made, path, "web")
    except CommandError:
        return
    assert_complete(made.report, Node("compose.yml", (), load(path.read_text())))


@CHANGES
@given(changed(dump(MONITORS)))
def test_monitors(data: Any) -> None:
    made, root = bundle(), Node("f", (), data)
    monitors = Monitors(made, "web")
    monitors.add(root)
    monitors.finish()
    assert_complete(made.report, root)
