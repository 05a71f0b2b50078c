"""Commands for copies of a stack's data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.commands.shared import Json, Stack, finish

family = typer.Typer()

Place = Annotated[
    str | None, typer.Option("--to", help="A folder of the engine's machine, in place of that in the stack file.")
]
BackupPassword = Annotated[
    Path | None, typer.Option("--password-file", help="File with the password of the copies. Default: Pulumi.")
]


@family.command()
def backup(stack: Stack, to: Place = None, password_file: BackupPassword = None, json: Json = False) -> None:
    """Copy a stack's data now.

    Prometheus' samples, Alertmanager's silences, Grafana's database: encrypted, and only what is new.
    """
    from operations.backups.backup import backup_command

    finish(lambda: backup_command(stack, to, password_file, json))


@family.command()
def backups(
    stack: Stack,
    place: Annotated[
        str | None, typer.Option("--from", help="A folder of the engine's machine, in place of that in the stack file.")
    ] = None,
    password_file: BackupPassword = None,
    json: Json = False,
) -> None:
    """List the copies of a stack that can be restored."""
    from operations.backups.backup import backups_command

    finish(lambda: backups_command(stack, place, password_file, json))


@family.command()
def restore(
    stack: Stack,
    place: Annotated[
        str | None,
        typer.Argument(metavar="[FROM]", help="Folder with the copies. Default: as in the stack file."),
    ] = None,
    snapshot: Annotated[str | None, typer.Option("--snapshot", help="Id of a copy. Default: the newest.")] = None,
    into: Annotated[str | None, typer.Option("--into", help="Another stack to restore into.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In place of data that is there, which is lost.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Into a second stack beside the first; compare both, remove the second.")
    ] = False,
    password_file: BackupPassword = None,
    json: Json = False,
) -> None:
    """Put a copy back in place, or prove by a drill that it could be.

    Reads and checks every byte of the copy before anything is touched.
    """
    from operations.backups.drill import drill_command
    from operations.backups.restore import restore_command

    if drill:
        finish(lambda: drill_command(stack, place, snapshot, bool(into or replace), password_file, json))
    finish(lambda: restore_command(stack, place, snapshot, into, replace, password_file, json))
