"""Copies of Grafana's database on a real PostgreSQL: made, restored, proven in a drill, and refused by the server.

Grafana itself does not run here; the tables are those that its dashboards are in.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.engine import Engine, until
from tests.e2e.postgresql import PASSWORD, Server
from tests.e2e.project import Project
from tests.e2e.stack import Stack
from tests.e2e.test_backup import copies, copy, observatory, wait_for_scheduled

TABLES = (
    "CREATE TABLE org (id serial PRIMARY KEY, name text)",
    "CREATE TABLE dashboard (id serial PRIMARY KEY, org_id int REFERENCES org (id), title text, is_folder bool)",
    "INSERT INTO org (name) VALUES ('main')",
    (
        "INSERT INTO dashboard (org_id, title, is_folder)"
        " SELECT 1, E'board\t\\\\ ü ' || n, n = 1 FROM generate_series(1, 500) n"
    ),
)


def fill(server: Server) -> None:
    """Make Grafana's tables, in place of what there is."""
    for statement in ("DROP TABLE IF EXISTS newer, dashboard, org", *TABLES):
        server.tell(f"SET ROLE grafana; {statement}", "grafana")


@pytest.fixture(scope="module")
def server(engine: Engine) -> Iterator[Server]:
    """The server, where containers reach it, with Grafana's tables."""
    gateway = engine.gateway()
    with tempfile.TemporaryDirectory(prefix="observatory-e2e-") as name:
        Path(name).chmod(0o755)
        found = Server(Path(name), gateway, gateway)
        try:
            found.make_database()
            fill(found)
            yield found
        finally:
            found.stop()


@pytest.fixture(scope="module")
def stack(
    server: Server, project: Project, engine: Engine, run_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack that copies nothing but Grafana's database."""
    environment = f"{run_name}-base"
    gateway = engine.gateway()
    password, authority = {"secret": "databasePassword"}, {"secret": "databaseCa"}
    database = {"host": gateway, "port": server.port, "password": password, "ca": authority}
    folder = tmp_path_factory.mktemp("copies")
    found = Stack(
        project,
        engine,
        environment,
        tracing={"backend": "none"},
        exporters={"node": False, "blackbox": False, "cadvisor": False},
        probes=[],
        grafana={"database": database},
        backup={"to": {"folder": str(folder)}, "password": {"secret": "backupPassword"}, "include": ["grafana"]},
    )
    found.configure()
    for secret, value in (
        ("backupPassword", "of the copies"),
        ("databasePassword", PASSWORD),
        ("databaseCa", server.certificates.ca),
    ):
        found.set_secret(secret, value)
    found.up()
    yield found
    for name in (environment, f"{environment}-drill"):
        engine.remove(name)


def content(server: Server) -> str:
    """Every table, and all rows of those that are copied."""
    tables = server.tell("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", "grafana")
    return tables + server.tell("SELECT * FROM dashboard ORDER BY id", "grafana")


def test_the_database_is_copied_and_comes_back(stack: Stack, server: Server) -> None:
    """Row by row; what was made since is gone, and only when that was asked for."""
    wait_for_scheduled(stack)
    fill(server)  # the test may have been tried before
    before, started = content(server), stack.starts()
    assert before.count("board") == 501
    copy(stack)
    for statement in ("DELETE FROM dashboard WHERE id > 3", "CREATE TABLE newer (dashboard int REFERENCES dashboard)"):
        server.tell(f"SET ROLE grafana; {statement}", "grafana")
    assert content(server) != before

    refused = observatory(stack, "restore")
    assert refused.code == 1, refused
    assert f"what is in the database grafana on {server.address}:{server.port}" in refused.output
    assert "--replace" in refused.output
    assert content(server) != before

    outcome = observatory(stack, "restore", "--replace")
    assert outcome.code == 0, outcome
    assert content(server) == before, "rows are lost"
    server.tell("SET ROLE grafana; INSERT INTO dashboard (title) VALUES ('the next id')", "grafana")
    after = stack.starts()
    assert {name for name in after if after[name] != started[name]} == {"backup", "grafana-dump"}
    stack.await_health()


def test_a_drill_loads_the_copy_into_a_server(stack: Stack, server: Server) -> None:
    """Another one: that of Grafana is not touched."""
    copy(stack)
    before = content(server)
    outcome = observatory(stack, "restore", "--drill", "--json")
    assert outcome.code == 0, outcome
    told = json.loads(outcome.output[outcome.output.index("{") :])
    rows = {row["what"]: row for row in told["comparisons"]}
    assert rows["dashboards in the database"]["copy"] == "499, loaded into a server"
    assert content(server) == before, "rows are lost"
    assert stack.engine.leftovers(f"{stack.environment}-drill") == []


def test_a_rotated_password_is_refused_until_it_is_set_and_then_live(stack: Stack, server: Server) -> None:
    """No copy is listed that lacks the database."""
    before, started = copies(stack), stack.starts()
    password = f"a:b\\c{secrets.token_hex(4)}"  # another one each time that the test is tried
    server.tell(f"ALTER ROLE grafana PASSWORD '{password}'")
    outcome = observatory(stack, "backup")
    assert outcome.code == 1, outcome
    assert "Grafana's database: " in outcome.output, outcome
    assert 'password authentication failed for user "grafana"' in outcome.output, outcome
    assert copies(stack) == before
    stack.set_secret("databasePassword", password)
    stack.up()
    assert stack.starts() == started
    assert copy(stack) in copies(stack)
    stack.no_changes()


def test_without_the_program_that_reaches_the_database_there_is_no_copy(stack: Stack) -> None:
    """It says which one is missing."""
    before = copies(stack)
    try:
        stack.container("grafana-dump").stop(timeout=10)
        outcome = observatory(stack, "backup")
    finally:
        stack.container("grafana-dump").start()
    assert outcome.code == 1, outcome
    assert "grafana-dump does not run, which alone reaches Grafana's database" in outcome.output, outcome
    assert copies(stack) == before


def test_half_a_dump_is_not_put_into_the_database(stack: Stack, server: Server) -> None:
    """It is an error, and every table is as it was."""
    before, program = content(server), stack.container("grafana-dump")
    half = "cd /dump; head -c 900 grafana.sql >half; mv half grafana.sql; rm -f .answer-test; echo load >.ask-test"
    assert program.exec_run(["sh", "-c", half]).exit_code == 0
    until(lambda: program.exec_run(["sh", "-c", "cat /dump/.answer-test"]).exit_code == 0, "an answer", 180)
    answer = program.exec_run(["sh", "-c", "cat /dump/.answer-test"]).output
    assert answer == b"error: /dump/grafana.sql is not whole\n"
    assert content(server) == before, "rows are lost"
