"""Commands that review a stack: what a change of it would do, and what it does not need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import CaFile, Json, PasswordFile, Stack, Stacks, finish

family = typer.Typer()


@family.command()
def backtest(
    stack: Stack,
    alerts: Annotated[
        list[str] | None, typer.Argument(metavar="[ALERT...]", help="Default: those that differ from --base.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Address of a Prometheus, Thanos or VictoriaMetrics, or a folder with Prometheus' data. "
            "Default: the stack's own.",
        ),
    ] = None,
    base: Annotated[str, typer.Option("--base", help="Git revision with the rules that are replaced.")] = "HEAD",
    days: Annotated[float, typer.Option("--days", min=0.01, max=1100, help="How far back.")] = 7,
    max_samples: Annotated[
        int, typer.Option("--max-samples", min=1000, help="That the server may have to look at, in all.")
    ] = 500_000_000,
    timeout: Annotated[float, typer.Option("--timeout", min=1, max=600, help="Seconds for one query.")] = 60,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with a plot to this file too.")] = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json: Json = False,
) -> None:
    """Say when changed alerts would have fired, beside the rules that they replace.

    By the samples that a server or a copy of its data has; asks one query at a time, and never more than allowed.
    """
    from operations.backtest.command import Asked, backtest_command
    from operations.reviewed import Login

    asked = Asked(tuple(alerts or ()), against, base, days, max_samples, timeout, Login(password_file, ca_file))
    finish(lambda: backtest_command(stack, asked, html, json))


@family.command()
def report(
    stacks: Stacks,
    base: Annotated[
        str, typer.Option("--base", help="Revision to compare with, or `deployed` for the state of the last `up`.")
    ] = "HEAD",
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", help="Dangers that make it exit with 1, such as data-loss,open-port."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, as for a comment.")] = False,
    json: Json = False,
) -> None:
    """Say what the working tree would change, against a revision or what is deployed.

    Alerts, routes, scrape jobs, size, dashboards, images, ports, data at risk, restarts; policy across stacks.
    """
    from operations.errors import UsageError
    from operations.report.command import report_command

    def work() -> int:
        if markdown and json:
            raise UsageError("--markdown and --json: only one of them")
        return report_command(
            stacks, base, tuple(fail_on or ()), "json" if json else "markdown" if markdown else "terminal"
        )

    finish(work)


@family.command()
def audit(
    stack: Stack,
    against: Annotated[
        str | None, typer.Option("--against", help="Address of a Prometheus. Default: the stack's own.")
    ] = None,
    max_samples: Annotated[
        int, typer.Option("--max-samples", min=1000, help="That the server may have to look at, in all.")
    ] = 5_000_000,
    timeout: Annotated[float, typer.Option("--timeout", min=1, max=600, help="Seconds for one query.")] = 60,
    least: Annotated[
        int, typer.Option("--least", min=1, help="Series of a job from which on a rule is suggested for it.")
    ] = 1,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json: Json = False,
) -> None:
    """Count what a running server stores, and say what of it nothing uses.

    Largest metrics and labels, churn, and rules to paste that leave out what no rule and no dashboard asks for.
    """
    from operations.audit.command import Asked, audit_command
    from operations.reviewed import Login

    asked = Asked(against, max_samples, timeout, least, Login(password_file, ca_file))
    finish(lambda: audit_command(stack, asked, json))
