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
    found = [board for board in built(StackLimits({}), {}, ["web"]) if board.name != "team"]
    assert [board.name for board in found] == [name for name in dashboards.CATALOGUE if name != "team"]
    for board in found:
        module = dashboards.load(board.name)
        assert (board.uid, board.title, board.folder) == (module.UID, module.TITLE, module.FOLDER)
        assert json.loads(board.text) == json.loads(json.dumps(module.build(StackLimits({}))))
        on: frozenset[str]
        for on in (frozenset(), module.NEEDS, module.NEEDS | set(sorted(module.ONE_OF)[:1])):
            assert board.belongs(on) is dashboards.belongs(module, on)


def test_other_numbers_are_other_dashboards() -> None:
    (usual,) = (board for board in built(StackLimits({}), {}) if board.name == "api-overview")
    (own,) = (board for board in built(StackLimits(OWN), OWN) if board.name == "api-overview")
    assert own.text != usual.text
    assert "0.07" in own.text


def test_each_team_has_its_own_copy_in_its_own_folder() -> None:
    long = "a" * 63
    copies = [
        board
        for board in built(StackLimits({}), {}, ["web", "payments", "web", long, long[:-1]])
        if board.name == "team"
    ]
    assert [(board.folder, board.file) for board in copies[-2:]] == [("payments", "team-payments"), ("web", "team-web")]
    assert len({board.uid for board in copies}) == len(copies) == 4
    assert all(len(board.uid) <= 40 for board in copies)
    board = json.loads(copies[-1].text)
    assert (board["uid"], board["title"]) == ("team-web", "Team web")
    (variable,) = (each for each in board["templating"]["list"] if each["name"] == "team")
    assert variable["current"] == {"selected": True, "text": ["web"], "value": ["web"]}
    assert built(StackLimits({}), {}) == [
        board for board in built(StackLimits({}), {}, ["web"]) if board.name != "team"
    ]


def test_the_second_time_needs_no_grafana_sdk() -> None:
    program = (
        "import sys; from components.rules import StackLimits; from dashboards.built import built; "
        "built(StackLimits({}), {}); print('grafana_foundation_sdk' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    said = ""
    # Only so many are remembered: tests that run at the same time may have thrown this one out.
    for _ in range(3):
        built(StackLimits({}), {})
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        if said == "False":
            break
    assert said == "False"
