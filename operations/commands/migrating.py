"""Commands that move from another monitoring system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import Json, finish

migrate = typer.Typer(
    name="migrate",
    help="Move from another monitoring system: a stack file, rules, dashboards, and a report on every item.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Source = Annotated[Path, typer.Argument(metavar="SOURCE", help="The file to read.")]
Sources = Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files, or folders with JSON files.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")]
Environment = Annotated[str, typer.Option("--env", help="Name of the environment.")]
Team = Annotated[str, typer.Option("--team", help="Label `team` of what has none.")]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")]


@migrate.command()
def compose(
    source: Source,
    out: Out,
    env: Environment = "migrated",
    team: Team = "platform",
    force: Force = False,
    json: Json = False,
) -> None:
    """From a docker-compose file of a monitoring stack.

    With what it mounts: prometheus.yml, alertmanager.yml, rule files, Grafana's provisioning and dashboards.
    """
    from operations.migrate.command import compose_command

    finish(lambda: compose_command(source, out, env, team, force, json))


@migrate.command("kube-prometheus-stack")
def kube_prometheus_stack(
    source: Source,
    out: Out,
    env: Environment = "migrated",
    team: Team = "platform",
    context: Annotated[
        str | None, typer.Option("--context", help="Of the kubeconfig. Default: to be filled in.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """From values of the Helm chart kube-prometheus-stack.

    With its scrape jobs, ServiceMonitors, rules, routes and inline dashboards.
    """
    from operations.migrate.command import values_command

    finish(lambda: values_command(source, out, env, team, context, force, json))


@migrate.command()
def grafana(
    sources: Sources,
    out: Out,
    env: Environment = "migrated",
    folder: Annotated[str, typer.Option("--folder", help="Folder of Grafana that they go to.")] = "Migrated",
    force: Force = False,
    json: Json = False,
) -> None:
    """From dashboards of any Grafana, as JSON.

    Old kinds of panels become today's; datasources become this stack's.
    """
    from operations.migrate.command import grafana_command

    finish(lambda: grafana_command(sources, out, env, folder, force, json))


@migrate.command()
def datadog(
    sources: Sources,
    out: Out,
    env: Environment = "migrated",
    team: Team = "platform",
    folder: Annotated[str, typer.Option("--folder", help="Folder of Grafana that they go to.")] = "Datadog",
    force: Force = False,
    json: Json = False,
) -> None:
    """From dashboards and monitors of Datadog, as JSON.

    Their queries become PromQL, monitors alert rules, widgets panels.
    """
    from operations.migrate.command import datadog_command

    finish(lambda: datadog_command(sources, out, env, team, folder, force, json))


@migrate.command()
def cloudwatch(
    out: Out,
    source: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Of `aws cloudwatch describe-alarms`. Default: asks AWS.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Default: as for the `aws` command.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="Of the AWS configuration.")] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint-url", help="Another address than AWS'.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="History from then, such as 2026-01-31.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="History until then. Default: now.")] = None,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", help="History of all metrics of it; may be repeated.")
    ] = None,
    statistic: Annotated[str, typer.Option("--statistic", help="Of those metrics.")] = "Average",
    env: Environment = "migrated",
    team: Team = "platform",
    force: Force = False,
    json: Json = False,
) -> None:
    """From alarms of CloudWatch, and what it remembers of their metrics.

    Alarms become rules on the metrics of yet-another-cloudwatch-exporter; history becomes blocks of Prometheus.
    """
    from operations.migrate.cloudwatch.history import time_range
    from operations.migrate.cloudwatch.origin import Account
    from operations.migrate.command import cloudwatch_command

    def work() -> int:
        when = time_range(start, end)
        account = Account(source, region, profile, endpoint, when, tuple(namespace or ()), statistic)
        return cloudwatch_command(account, out, env, team, force, json)

    finish(work)
