"""The `observatory` command. Each of its commands imports its work only when it runs: the start stays quick."""

from __future__ import annotations

import sys
from types import FrameType
from typing import NoReturn

import typer

from operations.commands import backups, proving, reading, reviewing, running, starting
from toolchain.interrupts import on_interrupt

# Without rich: its import takes as long as planning a stack.
app = typer.Typer(
    name="observatory",
    help="Render, check, plan, verify and remove a monitoring stack.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
FAMILIES = (starting, reading, running, proving, reviewing, backups)
for module in FAMILIES:
    app.add_typer(module.family)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Run one command and exit: 0 all is well, 1 something failed, 2 wrong usage, 130 interrupted."""
    on_interrupt(_terminate)
    app()
    sys.exit(0)
