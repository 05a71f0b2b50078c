"""Commands that prove what a deployment is worth, or find what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import CaFile, Json, PasswordFile, Stack, finish

family = typer.Typer()


@family.command()
def drift(
    stack: Stack,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="Kind of findings to leave out, such as silences; may be repeated."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to wait for a program that does not answer at once.")
    ] = 5,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json: Json = False,
) -> None:
    """Tell what of a running stack is no longer as planned; changes nothing.

    Resources, configuration of programs, files, settings of containers, volumes, silences. Exit code 1 where there is
    drift.
    """
    from operations.drift.command import drift_command

    finish(lambda: drift_command(stack, tuple(ignore or ()), timeout, password_file, ca_file, json))


@family.command()
def doctor(
    stack: Stack,
    json: Json = False,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Find what is wrong with a running stack, and say what to do.

    Looks at its containers and at whatever answers; changes nothing. Exit code 1 when something is wrong.
    """
    from operations.doctor.command import doctor_command

    finish(lambda: doctor_command(stack, json, password_file, ca_file))


@family.command()
def drill(
    stack: Stack,
    alerts: Annotated[
        list[str] | None, typer.Argument(metavar="ALERT...", help="Names of alerts. Default: lists those that can be.")
    ] = None,
    each_receiver: Annotated[
        bool, typer.Option("--each-receiver", help="One alert for each set of receivers that alerts go to.")
    ] = False,
    json: Json = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report to this file too.")] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds for each step; messages have their groups' waits on top.")
    ] = 60,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Make alerts fire for real, and follow them to their receivers.

    Real messages go out, marked DRILL. Neither the stack's samples nor its real alerts are touched.
    """
    from operations.drill.command import drill_command

    finish(lambda: drill_command(stack, alerts or (), each_receiver, json, junit, timeout, password_file, ca_file))
