"""The page about the stack file is current and whole, and every example on it can be used."""

from __future__ import annotations

import re

import pytest
import yaml
from pydantic import BaseModel

from components.config import StackConfig, parse_stack
from operations.guides.stack_file import EXAMPLES, GUIDE_FILE, INTRO, KINDS, NOTES, guide_text, sections

PATHS = dict(sections())


def anchors(text: str) -> set[str]:
    """The addresses that GitHub and GitLab give to headings: letters, digits, hyphens and underscores remain."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_is_current() -> None:
    assert GUIDE_FILE.read_text() == guide_text(), "run ./observatory schema"


def test_every_key_of_every_model_is_explained() -> None:
    rows = [line for line in guide_text().splitlines() if line.startswith("| `")]
    models: list[type[BaseModel]] = [StackConfig, *PATHS.values()]
    assert len(rows) == sum(len(model.model_fields) for model in models)
    assert [row for row in rows if row.endswith("|  |")] == []


def test_kinds_of_values_are_named_wherever_they_stand() -> None:
    text = guide_text()
    unused = [name for _, name, _ in KINDS if not re.search(rf"\| [^|]*{name}[^|]* \|", text)]
    assert unused == []


def test_links_lead_to_headings_of_the_page() -> None:
    text = guide_text()
    assert {*re.findall(r"\]\(#([^)]+)\)", text)} <= anchors(text)


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_are_valid_stacks(path: str) -> None:
    assert path in PATHS
    parse_stack({"environment": "example", **yaml.safe_load(EXAMPLES[path])}, "example")


def test_the_introduction_shows_a_valid_stack() -> None:
    block = re.search(r"```yaml\n(.+?)```", INTRO, re.DOTALL)
    assert block
    parse_stack(yaml.safe_load(block[1])["config"]["observatory:stack"], "example")


def test_notes_stand_with_keys_that_exist() -> None:
    assert {*NOTES} <= {*PATHS}
