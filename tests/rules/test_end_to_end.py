"""From counters to alerts: what a stack records for its objectives, and the alerts that build on it."""

from pathlib import Path
from typing import Any

from components import objectives
from components.config import parse_stack
from components.yaml_text import dump
from tests.rules.promtool import run
from tests.rules.rendered import rendered_rules

UNIT_TESTS = Path(__file__).parent / "end_to_end" / "objectives.yaml"
PROMISES: dict[str, Any] = {
    "environment": "test",
    "services": [
        {
            "name": name,
            "team": team,
            "discovery": {"static": {"targets": [f"{name}:8080"]}},
            "exposes": ["http"],
            "objectives": {
                "availability": {"target": "99.9%", "window": "30d"},
                "latency": {"target": "99%", "threshold": "500ms", "window": "7d"},
            },
        }
        for name, team in (("shop", "web"), ("search", "data"), ("fresh", "web"))
    ],
}


def test_broken_promises_become_alerts(tmp_path: Path) -> None:
    """A service fails and is slow for a while, and restarts meanwhile; another has no traffic, a third two errors."""
    rendered_rules(tmp_path)
    recorded = objectives.groups(parse_stack(PROMISES, "test"))
    (tmp_path / "objectives.yaml").write_text(dump({"groups": recorded}))
    tests = tmp_path / "test-objectives.yaml"
    tests.write_text(UNIT_TESTS.read_text())
    tested = run("test", "rules", tests)
    assert tested.returncode == 0, tested.stdout + tested.stderr
