"""What the tests of `migrate` share: a bundle, sources, and the checks that every output has to pass."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.plan import plan_stack_file
from components.spec import Plan
from components.yaml_text import load
from operations import programs
from operations.consistency import dashboard_problems, dashboards, datasources, grafana_of
from operations.migrate.output import Bundle, write
from operations.migrate.report import Item, Node, Report, leaves


def bundle() -> Bundle:
    return Bundle("moved", "a test")


def node(text: str, file: str = "source.yml") -> Node:
    return Node(file, (), load(text))


def outcomes(report: Report, kind: str = "") -> dict[str, str]:
    """Name to outcome of the items of one kind; a name that is there twice fails."""
    items = [item for item in report.items if not kind or item.kind == kind]
    assert len({(item.kind, item.name, item.place) for item in items}) == len(items)
    return {item.name: str(item.outcome) for item in items}


def item(report: Report, name: str, kind: str = "") -> Item:
    (found,) = (each for each in report.items if each.name == name and kind in ("", each.kind))
    return found


def assert_complete(report: Report, root: Node) -> None:
    """Each value of the source belongs to exactly one item of the report."""
    for leaf in leaves(root):
        prefixes = [leaf.path[:length] for length in range(len(leaf.path) + 1)]
        speaking = [path for path in prefixes if (leaf.file, path) in report.covered]
        assert len(speaking) == 1, f"{leaf.place}: {len(speaking)} items speak of it"


def assert_valid(made: Bundle, out: Path) -> Plan:
    """What was written is a stack that plans, whose rules promtool takes and whose dashboards fit the datasources."""
    write(made, out)
    _, plan = plan_stack_file(str(out / f"Pulumi.{made.environment}.yaml"))
    rules = sorted(str(path.relative_to(out)) for path in out.glob("rules/*.yaml"))
    if rules:
        promtool = programs.find("promtool")
        assert promtool, "promtool is needed: make ready"
        answer = programs.run(promtool, ("check", "rules", "--lint=all", "--lint-fatal", *rules), out)
        assert answer.code == 0, answer.text
    if grafana := grafana_of(plan):
        assert dashboard_problems(dashboards(grafana), datasources(grafana)) == []
    return plan


def write_json(folder: Path, data: Iterable[Any] | Any, name: str = "board.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(data))
    return path
