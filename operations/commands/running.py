"""Commands that work with a deployed stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import CaFile, Json, PasswordFile, Stack, Yes, finish

family = typer.Typer()


@family.command()
def verify(
    stack: Stack,
    json: Json = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds to wait for what takes a moment after a start.")
    ] = 60,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report to this file too.")] = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Prove that the running stack works from end to end.

    Metrics, rules, alert delivery, traces, datasources and dashboards.
    """
    from operations.verify import verify_command

    finish(lambda: verify_command(stack, json, timeout, junit, password_file, ca_file))


@family.command()
def certs(
    stack: Stack,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Validity of the certificates.")] = 397,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Further host name or IP address; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write files to this folder instead of Pulumi secrets.")
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option("--from", help="Folder with your own ca.crt, tls.crt and tls.key, instead of new ones."),
    ] = None,
) -> None:
    """Make or rotate the certificate of the stack's endpoints.

    A private authority signs it; all becomes Pulumi secrets of the stack.
    """
    from operations.certs import certs_command

    finish(lambda: certs_command(stack, days, tuple(name or ()), out, own))


@family.command()
def recover(
    stack: Stack,
    yes: Annotated[bool, typer.Option("--yes", help="Nobody else updates this stack now; do not ask.")] = False,
) -> None:
    """Clean up after an update whose processes all died.

    After a power cut or kill -9, or where Pulumi says that the stack is locked or its state cannot be read.
    An update that was ended by Ctrl-C needs only the next one.
    """
    from operations.recover import recover_command

    finish(lambda: recover_command(stack, yes))


@family.command()
def down(stack: Stack) -> None:
    """Remove a stack's containers; its data stays.

    The next `pulumi up` takes the data up again.
    """
    from operations.remove import down_command

    finish(lambda: down_command(stack))


@family.command()
def destroy(
    stack: Stack,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Remove the volumes too: metrics, alerts and traces are gone.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove a stack with all that belongs to it.

    Refuses while there is data, unless --delete-data is given.
    """
    from operations.remove import destroy_command

    finish(lambda: destroy_command(stack, delete_data, yes))
