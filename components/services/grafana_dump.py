"""Grafana's database on a server: a program beside the backup that writes it into a volume, and back, when asked to."""

from __future__ import annotations

import shlex
from pathlib import Path

from components.config.databases import GrafanaDatabase
from components.context import Context
from components.services.probes import port_probe
from components.spec import Call, File, Metrics, Service, Volume, secret_token

NAME, PORT = "grafana-dump", 9198
FOLDER = "/etc/grafana-dump"
SCRIPT = f"{FOLDER}/current/grafana_dump.sh"
VOLUME = Volume("grafana-dump-data", "/dump")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Those of the image. PostgreSQL's client looks for none by itself, unlike Grafana."""
_SCRIPT = Path(__file__).with_name("grafana_dump.sh")


def grafana_dumps(context: Context) -> tuple[Service, ...]:
    """The program, where copies are made of a Grafana that keeps its data in a database of its own."""
    database, backup = context.config.grafana.database, context.config.backup
    if not (backup and "grafana" in backup.include and context.config.grafana.enabled and database):
        return ()
    return (_grafana_dump(context, database),)


def _grafana_dump(context: Context, database: GrafanaDatabase) -> Service:
    return Service(
        name=NAME,
        product="GrafanaDump",
        image=context.image(NAME),
        user="70:70",
        resources=context.resources(NAME, memory=256, cpus=0.5),
        entrypoint=("sh", SCRIPT),
        args=("serve",),
        config_folder=FOLDER,
        files=(
            File("grafana_dump.sh", _SCRIPT.read_text(encoding="utf-8"), live=False),
            File("settings", _settings(database), reload=False),
            File("secrets/password", secret_token(database.password.secret), reload=False),
            *([File("secrets/ca.crt", secret_token(database.ca.secret), reload=False)] if database.ca else []),
        ),
        volumes=(VOLUME,),
        calls=(Call(),),
        # The database is outside of the stack's network.
        meets_services=True,
        scratch=("/tmp",),
        probe=port_probe(PORT),
        metrics=(Metrics(NAME, PORT),),
    )


def _settings(database: GrafanaDatabase) -> str:
    """Variables of PostgreSQL's own client, in the shell's spelling."""
    values = {
        "PGHOST": database.host,
        "PGPORT": database.port,
        "PGUSER": database.user,
        "PGDATABASE": database.name,
        "PGSSLMODE": database.ssl_mode,
    }
    if database.ssl_mode.startswith("verify"):
        values["PGSSLROOTCERT"] = f"{FOLDER}/current/secrets/ca.crt" if database.ca else AUTHORITIES
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())
