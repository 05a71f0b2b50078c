"""Grafana's settings for its database, tried on a real PostgreSQL: what they say logs in, and nothing less does.

Grafana hands host, user, password, name, sslmode and sslrootcert of its settings to the driver as they stand.
"""

from __future__ import annotations

import configparser
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from operations.certificates import Certificates, make_certificates
from tests.e2e.postgresql import PASSWORD, Server
from tests.support import content, planned, service, stack


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # In a folder of its own below /tmp: pytest's are closed to other users, of whom the server's is one.
    with tempfile.TemporaryDirectory(prefix="observatory-e2e-") as name:
        Path(name).chmod(0o755)
        found = Server(Path(name))
        try:
            found.make_database()
            yield found
        finally:
            found.stop()


def settings(
    server: Server, folder: Path, password: str, authority: Certificates | None, **changes: Any
) -> dict[str, str]:
    """The section `database` of the planned settings, its files laid out with these secrets in place."""
    database = {"host": "localhost", "port": server.port, "password": {"secret": "password"}, **changes}
    if authority:
        database["ca"] = {"secret": "ca"}
    grafana = service(planned(stack(grafana={"database": database})), "grafana")
    secrets = {"password": password, "ca": authority.ca if authority else ""}
    for file in grafana.files:
        if file.path.startswith("secrets/database-"):
            path = folder / file.path
            path.parent.mkdir(exist_ok=True)
            path.write_text(file.resolve(lambda _, name: secrets[name]))
    parser = configparser.RawConfigParser()
    parser.read_string(content(grafana, "grafana.ini").replace(grafana.mounted_config, str(folder)))
    found = dict(parser["database"])
    # As Grafana's own $__file does it.
    found["password"] = Path(found["password"].removeprefix("$__file{").removesuffix("}")).read_text().strip()
    return found


def log_in(server: Server, found: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Make a table and read who is asked, as with the connection that Grafana makes of its settings."""
    assert found["type"] == "postgres"
    host, port = found["host"].split(":")
    variables = {
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": found["user"],
        "PGPASSWORD": found["password"],
        "PGDATABASE": found["name"],
        "PGSSLMODE": found["ssl_mode"],
        "PGCONNECT_TIMEOUT": "60",
    }
    if "ca_cert_path" in found:
        variables["PGSSLROOTCERT"] = found["ca_cert_path"]
    statements = "CREATE TEMPORARY TABLE dashboard (id int); "
    statements += "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    command = [str(server.programs / "psql"), "-X", "-q", "-A", "-t", "-c", statements]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
def test_the_settings_log_in_encrypted(server: Server, tmp_path: Path, mode: str) -> None:
    done = log_in(server, settings(server, tmp_path, PASSWORD, server.certificates, ssl_mode=mode))
    assert (done.returncode, done.stdout.strip()) == (0, "grafana|t"), done.stderr


@pytest.mark.parametrize(
    ("change", "password", "reason"),
    [
        ({}, "wrong", 'password authentication failed for user "grafana"'),
        ({"user": "somebody"}, PASSWORD, 'password authentication failed for user "somebody"'),
        ({"name": "other"}, PASSWORD, 'database "other" does not exist'),
        ({"ssl_mode": "disable"}, PASSWORD, "no encryption"),
        ({"host": "127.0.0.1"}, PASSWORD, 'does not match host name "127.0.0.1"'),
    ],
)
def test_each_setting_counts(
    server: Server, tmp_path: Path, change: dict[str, Any], password: str, reason: str
) -> None:
    authority = None if change.get("ssl_mode") == "disable" else server.certificates
    done = log_in(server, settings(server, tmp_path, password, authority, **change))
    assert done.returncode != 0
    assert reason in done.stderr


def test_another_authority_is_not_believed(server: Server, tmp_path: Path) -> None:
    other = make_certificates("other", ["localhost"], 1, datetime.now(UTC))
    done = log_in(server, settings(server, tmp_path, PASSWORD, other))
    assert done.returncode != 0
    assert "certificate verify failed" in done.stderr
