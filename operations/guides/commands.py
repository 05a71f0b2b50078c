"""docs/guide/commands.md: every command with the help that it prints itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typer.main import get_group
from typer.testing import CliRunner

from components.catalogue import ROOT
from operations.app import FAMILIES, app
from operations.guides.page import keep_current

GUIDE_FILE = ROOT / "docs" / "guide" / "commands.md"

INTRO = """\
# Commands

<!-- Made from the command's own help by `./observatory schema`; change operations/commands/. -->

`./observatory COMMAND --help` prints what stands here. Exit codes: 0 all is well, 1 something failed or was found,
2 wrong usage, 130 interrupted. What people read goes to a terminal with colours, and without them anywhere else;
`--json` is for scripts.
"""


def guide_text() -> str:
    """The whole page."""
    parts = [INTRO]
    for module in FAMILIES:
        parts.append(f"## {(module.__doc__ or '').strip().splitlines()[0].rstrip('.')}\n")
        parts += [
            f"### {' '.join(words)}\n\n```text\n{_help(words)}\n```\n"
            for words in _commands(get_group(module.family).commands)
        ]
    return "\n".join(parts)


def guide_command(check: bool) -> int:
    """Write the page; with `check` only say whether it is current."""
    return keep_current(GUIDE_FILE, guide_text(), check)


def _commands(commands: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that call each command, in the order of `--help`."""
    for name, command in commands.items():
        deeper = getattr(command, "commands", None)
        yield from _commands(deeper, (*before, name)) if deeper else [(*before, name)]


def _help(words: tuple[str, ...]) -> str:
    """What a command prints on a terminal of 100 columns."""
    result = CliRunner().invoke(app, [*words, "--help"], terminal_width=100, env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines()).replace(
        "Usage: root", "Usage: observatory"
    )
