"""What is remembered of the dashboards is what their modules build."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dashboards
from components.rules import StackLimits
from dashboards.built import built

ROOT = Path(__file__).parents[2]
OWN = {"APIHighErrorRate": {"threshold": "7%"}}


def test_every_dashboard_is_there_as_its_module_says() -> None:
    found = built(StackLimits({}), {})
    assert [*found] == [*dashboards.CATALOGUE]
    for name, board in found.items():
        module = dashboards.load(name)
        assert (board.uid, board.title, board.folder) == (module.UID, module.TITLE, module.FOLDER)
        assert json.loads(board.text) == json.loads(json.dumps(module.build(StackLimits({}))))
        on: frozenset[str]
        for on in (frozenset(), module.NEEDS, module.NEEDS | set(sorted(module.ONE_OF)[:1])):
            assert board.belongs(on) is dashboards.belongs(module, on)


def test_other_numbers_are_other_dashboards() -> None:
    assert built(StackLimits(OWN), OWN)["api-overview"].text != built(StackLimits({}), {})["api-overview"].text
    assert "0.07" in built(StackLimits(OWN), OWN)["api-overview"].text


def test_the_second_time_needs_no_grafana_sdk() -> None:
    built(StackLimits({}), {})
    program = (
        "import sys; from components.rules import StackLimits; from dashboards.built import built; "
        "built(StackLimits({}), {}); print('grafana_foundation_sdk' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "False"
