"""Commands that read a stack file and start nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import CaFile, Json, PasswordFile, Stack, Stacks, finish

family = typer.Typer()


@family.command()
def validate(stacks: Stacks, json: Json = False) -> None:
    """Check stacks and all that is rendered from them.

    With the products' own programs; nothing is started.
    """
    from operations.validate import validate_command

    finish(lambda: validate_command(stacks, json))


@family.command()
def plan(stack: Stack, json: Json = False) -> None:
    """Show what would be deployed.

    Services with endpoints, volumes, resources; scrape targets; secrets.
    """
    from operations.plan import plan_command

    finish(lambda: plan_command(stack, json))


@family.command()
def size(
    stack: Stack,
    scale: Annotated[
        float, typer.Option("--scale", min=0.01, max=1_000_000, help="Times the load of the services: 2 is twice.")
    ] = 1.0,
    retention: Annotated[str | None, typer.Option("--retention", help="In place of the stack's, such as 90d.")] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", help="Scrape interval, in place of the stack's; services keep their own."),
    ] = None,
    queries: Annotated[
        float, typer.Option("--queries", min=0, max=1_000_000, help="Per second; an open dashboard is about one.")
    ] = 1.0,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=100_000, help="Machines that are watched.")] = 1,
    containers: Annotated[int, typer.Option("--containers", min=0, max=10_000, help="On each machine.")] = 30,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where there is too little.")] = False,
    json: Json = False,
) -> None:
    """Say how many series a stack has, and what Prometheus needs for them.

    Memory, CPU and disk, beside what the stack file asks for.
    """
    from components.series import Circumstances
    from operations.size import Question, size_command

    question = Question(Circumstances(scale, nodes, containers), queries, retention, interval)
    finish(lambda: size_command(stack, question, check, json))


@family.command()
def route(
    stack: Stack,
    labels: Annotated[list[str], typer.Argument(help="Of the alert, as name=value.", metavar="LABEL=VALUE...")],
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", help="Channel that has to get it, or nobody; may be repeated. Others: exit with 1."),
    ] = None,
    json: Json = False,
) -> None:
    """Say who gets an alert, and when.

    By amtool, on what is rendered; with alertname=..., the labels of that rule are added.
    """
    from operations.route import route_command

    finish(lambda: route_command(stack, labels, tuple(expect or ()), json))


@family.command()
def render(
    stack: Stack,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files too.")] = False,
    manifests: Annotated[
        bool, typer.Option("--manifests", help="The Kubernetes objects instead; secrets stay placeholders.")
    ] = False,
    json: Json = False,
) -> None:
    """Write every file as it would be deployed.

    One folder per service; secrets stay placeholders.
    """
    from operations.render import render_command

    finish(lambda: render_command(stack, out, force, json, manifests))


@family.command()
def dashboards(
    stack: Stack,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help="Address of a Prometheus to take data from.")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How far back the data goes, such as 15m or 6h.")] = "1h",
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files too.")] = False,
    json: Json = False,
) -> None:
    """Write the dashboards as pages for a browser, to look at without Grafana.

    With --prometheus they show data, and each panel without any says why.
    """
    from operations.pages.dashboards import dashboards_command

    finish(lambda: dashboards_command(stack, out, prometheus, since, password_file, ca_file, force, json))


@family.command("keep-list")
def keep_list(
    stack: Stack,
    service: Annotated[str | None, typer.Option("--service", help="Only this service.")] = None,
    json: Json = False,
) -> None:
    """List the metrics of each service that rules and dashboards use.

    To store no others: as `keep:` of the service, or for your own Prometheus.
    """
    from operations.keep_list import keep_list_command

    finish(lambda: keep_list_command(stack, service, json))


@family.command()
def schema(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if it is not current.")] = False,
) -> None:
    """Write what is generated from the model of a stack file, the rules and the commands.

    Schemas, by which editors check stack files and policies; pages on the stack file, alerts and commands; lists of
    runbooks and decisions.
    """
    from operations.guides import alerts, commands, decisions, runbooks, stack_file
    from operations.guides.schema import schema_command

    pages = (stack_file, alerts, commands, runbooks, decisions)
    finish(lambda: max(schema_command(check), *(page.guide_command(check) for page in pages)))
