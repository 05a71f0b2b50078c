"""docs/guide/alerting.md is true: its stacks are valid, for amtool too, and its commands say what it says they do."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from components.config import parse_stack
from components.yaml_text import load
from operations import programs
from operations.layout import laid_out
from operations.route import route_command
from tests.support import MINIMAL, planned

GUIDE = (Path(__file__).parents[2] / "docs/guide/alerting.md").read_text()
EXAMPLES = [load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
COMMANDS = [
    (line, answer)
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    for line, answer in re.findall(r"^\$ \./observatory route (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=[",".join(example) for example in EXAMPLES])
def test_examples_are_stacks_that_alertmanager_takes(example: dict[str, Any]) -> None:
    amtool = programs.find("amtool")
    assert amtool, "amtool is needed: `make ready` prepares it"
    config = parse_stack({**MINIMAL, **example}, "example")
    with laid_out(planned(config)) as folder:
        answer = programs.run(amtool, ("check-config", "alertmanager.yml"), folder / "alertmanager")
    assert answer.code == 0, answer.text


@pytest.mark.parametrize(("line", "answer"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_commands_answer_what_the_guide_says(line: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    stack, *words = shlex.split(line)
    expected = [word for before, word in pairwise(words) if before == "--expect"]
    labels = [word for word in words if "=" in word]
    assert len(labels) + 2 * len(expected) == len(words)
    assert route_command(stack, labels, expected, as_json=False) == 0
    if answer:
        assert capsys.readouterr().out == answer


def test_the_guide_has_examples_and_commands() -> None:
    assert (len(EXAMPLES), len(COMMANDS)) == (4, 3)
