"""What all commands have in common: arguments that many take, and how each ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from operations.errors import CommandError, UsageError

Stack = Annotated[str, typer.Argument(help="Name of a stack (dev is stacks/Pulumi.dev.yaml), or path of a stack file.")]
Stacks = Annotated[list[str], typer.Argument(metavar="STACK...", help="Names of stacks, or paths of stack files.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File with the password of `access:`. Default: Pulumi.")
]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="File with the CA of `access:`. Default: Pulumi.")]
INTERRUPTED = 130


def finish(work: Callable[[], int]) -> NoReturn:
    """Run a command; errors become a message and an exit code, and an interruption becomes 130."""
    from components.config import StackFileError

    try:
        code = work()
        sys.stdout.flush()
    except (StackFileError, CommandError) as error:
        print(error, file=sys.stderr)
        code = 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has had enough (`... | head`); nothing more can be written there, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    raise typer.Exit(code)
