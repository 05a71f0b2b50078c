"""Commands for those who begin: a new stack file, and what its stack would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.migrating import migrate
from operations.commands.shared import Json, Stack, finish

family = typer.Typer()
family.add_typer(migrate)

Several = list[str] | None


@family.command()
def new(
    environment: Annotated[
        str, typer.Argument(metavar="ENV", help="Name of the new stack; or path of its file, Pulumi.<name>.yaml.")
    ],
    stack: Annotated[str | None, typer.Option("--stack", help="Which products: prometheus.")] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="docker or kubernetes.")] = None,
    context: Annotated[str | None, typer.Option("--context", help="Of kubectl, with --platform kubernetes.")] = None,
    service: Annotated[
        Several,
        typer.Option("--service", metavar="NAME[=HOST:PORT,...]", help="To watch; may be repeated."),
    ] = None,
    exposes: Annotated[
        Several,
        typer.Option(
            "--exposes", metavar="SERVICE=SET,...", help="Known sets of metrics, such as http; may be repeated."
        ),
    ] = None,
    team: Annotated[str | None, typer.Option("--team", help="Of the services. Default: platform.")] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", help="In which services of a cluster are, that have no address.")
    ] = None,
    network: Annotated[
        Several, typer.Option("--network", help="Docker network of your services to join; may be repeated.")
    ] = None,
    discover: Annotated[
        bool, typer.Option("--discover", help="Find services on the Docker engine or in the cluster; touches nothing.")
    ] = False,
    retention: Annotated[str | None, typer.Option("--retention", help="Of metrics. Default: 15d.")] = None,
    interval: Annotated[str | None, typer.Option("--scrape-interval", help="Default: 15s.")] = None,
    tracing: Annotated[str | None, typer.Option("--tracing", help="Where traces are kept, or none.")] = None,
    channel: Annotated[
        Several,
        typer.Option(
            "--channel",
            metavar="[NAME=]TYPE",
            help="Where alerts go: slack, pagerduty, email, webhook, opsgenie; may be repeated.",
        ),
    ] = None,
    mail_to: Annotated[str | None, typer.Option("--mail-to", help="With a channel by email; commas between.")] = None,
    mail_from: Annotated[str | None, typer.Option("--mail-from", help="Sender, who logs in at the server.")] = None,
    mail_server: Annotated[str | None, typer.Option("--mail-server", help="host:port.")] = None,
    preset: Annotated[
        Several,
        typer.Option(
            "--preset",
            help="Dashboards: red-metrics, four-golden, business-kpis, sre-slos, security, or one by its name; may be "
            "repeated. Default: all that have data.",
        ),
    ] = None,
    exporter: Annotated[
        Several, typer.Option("--exporter", help="node, blackbox, cadvisor; may be repeated. Default: all.")
    ] = None,
    high_availability: Annotated[
        bool | None,
        typer.Option("--high-availability/--no-high-availability", help="Several of each program."),
    ] = None,
    grafana_database: Annotated[
        str | None, typer.Option("--grafana-database", help="Host of a PostgreSQL in place of a file.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", help="Where metrics are kept: local, thanos, s3, victoria, cortex. Default: local."),
    ] = None,
    bucket: Annotated[str | None, typer.Option("--bucket", help="Its name, with thanos and s3.")] = None,
    bucket_region: Annotated[str | None, typer.Option("--bucket-region", help="Its region.")] = None,
    bucket_endpoint: Annotated[str | None, typer.Option("--bucket-endpoint", help="Its server, if not AWS.")] = None,
    access: Annotated[
        bool | None, typer.Option("--access/--no-access", help="TLS and a password for every UI.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="With example services under traffic.")] = False,
    port_offset: Annotated[
        int, typer.Option("--port-offset", min=0, max=40_000, help="Added to each published port, beside other stacks.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; show the file and what would be deployed, checked.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there; its secrets stay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: defaults for all that is not given.")] = False,
    json: Json = False,
) -> None:
    """Write a stack file for a new environment.

    On a terminal it asks for what the options leave open; each question has a default. It starts nothing.
    """
    given = {
        "stack": stack,
        "platform": platform,
        "context": context,
        "service": service,
        "exposes": exposes,
        "team": team,
        "namespace": namespace,
        "network": network or [],
        "discover": discover,
        "retention": retention,
        "interval": interval,
        "tracing": tracing,
        "channel": channel,
        "mail_to": mail_to,
        "mail_from": mail_from,
        "mail_server": mail_server,
        "preset": preset,
        "exporter": exporter,
        "high_availability": high_availability,
        "grafana_database": grafana_database,
        "storage": storage,
        "bucket": bucket,
        "bucket_region": bucket_region,
        "bucket_endpoint": bucket_endpoint,
        "access": access,
        "demo": demo,
        "port_offset": port_offset,
    }
    from operations.new.command import new_command

    finish(lambda: new_command(environment, given, dry_run=dry_run, force=force, yes=yes, json=json))


@family.command()
def cost(
    stack: Stack,
    scale: Annotated[
        float, typer.Option("--scale", min=0.01, max=1_000_000, help="Times the load of the services: 2 is twice.")
    ] = 1.0,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=100_000, help="Machines that are watched.")] = 1,
    containers: Annotated[int, typer.Option("--containers", min=0, max=10_000, help="On each machine.")] = 30,
    spans: Annotated[float, typer.Option("--spans", min=0, max=1e9, help="Of traces, a second.")] = 10.0,
    users: Annotated[int, typer.Option("--users", min=1, max=100_000, help="People who log in.")] = 5,
    queries: Annotated[
        float, typer.Option("--queries", min=0, max=1_000_000, help="Per second; an open dashboard is about one.")
    ] = 1.0,
    hours: Annotated[float, typer.Option("--hours", min=0, max=730, help="Of work on the stack, a month.")] = 2.0,
    rate: Annotated[float | None, typer.Option("--rate", min=0, help="What such an hour costs. Default: 0.")] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="File with prices in place of those listed, as much as is other.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare what the stack costs a month, run by yourself and on platforms of others.

    By listed prices, with the formula and the source of each line.
    """
    from components.series import Circumstances
    from operations.cost.command import cost_command
    from operations.cost.load import Usage

    usage = Usage(Circumstances(scale, nodes, containers), spans, users, queries, hours)
    finish(lambda: cost_command(stack, usage, prices, rate, json))
