"""Commands that prove what a deployment is worth, or find what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import Json, Stack, finish

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
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with the password of `access:`. Default: Pulumi.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="File with the CA of `access:`. Default: Pulumi.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell what of a running stack is no longer as planned; changes nothing.

    Resources, configuration of programs, files, settings of containers, volumes, silences. Exit code 1 where there is
    drift.
    """
    from operations.drift.command import drift_command

    finish(lambda: drift_command(stack, tuple(ignore or ()), timeout, password_file, ca_file, json))
