"""The program that copies Grafana's database: where it runs, and as whom it logs in."""

from __future__ import annotations

import shlex
from typing import Any

from components.services.grafana_dump import NAME
from tests.support import COPIED, content, plan_of, planned, service, stack

DATABASE: dict[str, Any] = {"host": "db.example.com", "password": {"secret": "databasePassword"}}


def settings(**database: Any) -> dict[str, str]:
    """The variables of the script, as a shell reads them."""
    found = service(planned(stack(backup=COPIED, grafana={"database": {**DATABASE, **database}})), NAME)
    return dict(word.split("=", 1) for word in shlex.split(content(found, "settings")))


def test_it_runs_once_where_a_database_is_copied_and_nowhere_else() -> None:
    plan = plan_of("copied-database")
    assert [one.name for one in plan.services if one.group == NAME] == [NAME]
    backup = service(plan, "backup")
    assert {"grafana-data", "grafana-dump-data"} == {volume.name for volume in backup.shares}
    database = {"database": DATABASE}
    for quiet in (
        {"backup": COPIED},
        {"grafana": database},
        {"grafana": database, "backup": {**COPIED, "include": ["prometheus"]}},
        {"grafana": {**database, "enabled": False}, "backup": COPIED},
    ):
        assert planned(stack(**quiet)).service(NAME) is None


def test_it_logs_in_as_grafana_does() -> None:
    assert settings(port=5433, name="boards", user="viewer") == {
        "PGHOST": "db.example.com",
        "PGPORT": "5433",
        "PGUSER": "viewer",
        "PGDATABASE": "boards",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/ssl/certs/ca-certificates.crt",
    }
    assert settings(ca={"secret": "ca"})["PGSSLROOTCERT"] == "/etc/grafana-dump/current/secrets/ca.crt"
    for mode in ("require", "disable"):
        assert "PGSSLROOTCERT" not in settings(ssl_mode=mode), "or `require` would verify all the same"
    assert service(plan_of("copied-database"), NAME).restart_digest.count("mark") == 0, "its password is read each time"
