"""Another database of Grafana, another store of traces, another password of copies: none of these moves any data."""

from __future__ import annotations

from typing import Any

import pytest

from operations.report.compare import compared
from operations.report.snapshot import Snapshot, of_plan
from operations.report.stores import store_changes
from tests.support import COPIED, GENERATED, config_of, plan_of, planned, stack


def of(**changes: Any) -> Snapshot:
    config = stack(**changes)
    return of_plan(config, planned(config))


def database(host: str, **more: Any) -> dict[str, Any]:
    return {"grafana": {"database": {"host": host, "password": {"secret": "grafanaDatabase"}, **more}}}


def traces(url: str, **more: Any) -> dict[str, Any]:
    return {"tracing": {"storage": "elasticsearch", "elasticsearch": {"urls": [url], **more}}}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, ...]]:
    found = store_changes(of(**before), of(**after))
    return [(change.name, change.before, change.after, change.danger) for change in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, database("db.example.com"), ("its own file", "db.example.com:5432/grafana")),
        (database("db.example.com"), {}, ("db.example.com:5432/grafana", "its own file")),
        (
            database("db.example.com"),
            database("db.example.com", name="other"),
            ("db.example.com:5432/grafana", "db.example.com:5432/other"),
        ),
    ],
)
def test_a_database_of_grafana(before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str]) -> None:
    assert told(before, after) == [("grafana", *expected, "data-loss")]


def test_another_store_of_traces() -> None:
    (change,) = told(traces("https://a.example.com:9200"), traces("https://b.example.com:9200"))
    before, after = ("elasticsearch, https://a.example.com:9200", "elasticsearch, https://b.example.com:9200")
    assert change == ("traces", before, after, "data-loss")
    (change,) = told({}, traces("https://a.example.com:9200"))
    assert change == ("traces", "badger", before, "data-loss")


@pytest.mark.parametrize("name", [*GENERATED])
def test_the_same_place_is_no_change(name: str) -> None:
    found = of_plan(config_of(name), plan_of(name))
    assert list(store_changes(found, found)) == []
    assert list(store_changes(Snapshot(environment="new"), found)) == []


def test_a_login_or_a_number_of_copies_is_no_other_store() -> None:
    login = {"login": {"username": "jaeger", "password": {"secret": "store"}}}
    assert told(traces("https://a.example.com:9200"), traces("https://a.example.com:9200", **login)) == []
    assert told(database("db.example.com"), database("db.example.com", ssl_mode="require")) == []


def test_copies_under_another_password() -> None:
    other = {**COPIED, "password": {"secret": "another"}}
    found = [each for each in compared(of(backup=COPIED), of(backup=other)) if each.name == "backup"]
    (change,) = (each for each in found if each.section == "data")
    assert (change.before, change.after, change.danger) == ("backupPassword", "another", "fewer-backups")
    assert "no copy can be made in that place" in change.what
    # In another place everything begins anew, with any password.
    moved = compared(of(backup=COPIED), of(backup={**other, "to": {"folder": "/elsewhere"}}))
    assert not [each for each in moved if "another secret" in each.what]
