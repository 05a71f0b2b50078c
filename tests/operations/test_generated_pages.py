"""Pages that are made from the project are what it would make now."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from components.catalogue import all_alerts
from operations.guides import alerts, commands, decisions, runbooks, stack_file


@pytest.mark.parametrize("guide", [alerts, commands, decisions, runbooks, stack_file], ids=lambda guide: guide.__name__)
def test_pages_are_current(guide: ModuleType) -> None:
    assert guide.guide_command(check=True) == 0, "run ./observatory schema"


def test_every_command_has_its_help() -> None:
    text = commands.guide_text()
    found = dict(re.findall(r"^### (.+)\n\n```text\nUsage: observatory (.+)$", text, re.MULTILINE))
    assert {"validate", "verify", "backup", "keep-list"} <= {*found}
    assert all(usage.startswith(command) for command, usage in found.items())


def test_every_runbook_is_in_the_index_once() -> None:
    assert sorted(re.findall(r"^- \[(\w+)\]\(\1\.md\): \S", runbooks.guide_text(), re.MULTILINE)) == sorted(
        all_alerts()
    )
