"""`dashboards`: a stack's dashboards as pages that open in any browser, with data where a Prometheus is named."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.config import StackConfig
from components.config.base import is_duration, seconds
from components.plan import plan_stack_file
from components.rules import shown_dashboards, subjects_on
from components.spec import Plan
from operations import console
from operations.errors import CommandError, UsageError
from operations.http import Endpoint
from operations.pages.data import Window, board_data, panels_of
from operations.pages.html import Shown, index, page
from operations.render import write_tree
from operations.reviewed import Login, named_endpoint
from operations.running import CheckFailed

PATIENCE = 60.0
"""Seconds for one query: some go over a month of samples."""
_AT_ONCE = 8
"""Queries at a time; Prometheus answers 20 at a time by default, and others ask too."""


def planned_dashboards(config: StackConfig, plan: Plan) -> list[Shown]:
    """The dashboards that the stack provisions, built with its limits, in the order of the stack file."""
    on = subjects_on(config, [service.group for service in (*plan.services, *plan.withheld)])
    return [Shown(each.file, each.folder, json.loads(each.text)) for each in shown_dashboards(config, on)]


def with_data(shown: Sequence[Shown], prometheus: Endpoint, window: Window) -> list[Shown]:
    """The same dashboards with what this Prometheus answers. Raises CommandError where it cannot be asked."""
    try:
        prometheus.prometheus("/api/v1/status/buildinfo")
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return [replace(one, data=board_data(one.board, prometheus, window, pool)) for one in shown]
    except CheckFailed as error:
        raise CommandError(error.detail, error.remedy) from None


def counted(environment: str, shown: Sequence[Shown]) -> dict[str, Any]:
    """How many dashboards, panels and queries there are, and which panels have no data and why."""
    asked = any(one.data for one in shown)
    boards = []
    for one in shown:
        panels = panels_of(one.board)
        boards.append(
            {
                "name": one.name,
                "uid": one.board["uid"],
                "title": one.board["title"],
                "folder": one.folder,
                "file": one.file,
                "panels": len(panels),
                "queries": sum(len(panel["targets"]) for panel in panels),
                "with_data": len(panels) - len(one.without) if asked else None,
                "without_data": [{"panel": panel, "reason": reason} for panel, reason in one.without.items()],
            }
        )
    totals = {key: sum(board[key] for board in boards) for key in ("panels", "queries")}
    filled = sum(board["with_data"] for board in boards) if asked else None
    return {
        "environment": environment,
        "dashboards": boards,
        "total": {"dashboards": len(boards), **totals, "with_data": filled},
    }


def dashboards_command(
    stack: str,
    out: Path,
    prometheus: str | None,
    since: str,
    password_file: Path | None,
    ca_file: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write the pages of a stack's dashboards; with the address of a Prometheus, with data."""
    if not is_duration(since) or not 300 <= seconds(since) <= 90 * 86400:
        raise UsageError(f"--since {since} is no time range", "give a duration from 5m to 90d, such as 1h")
    config, plan = plan_stack_file(stack)
    shown = planned_dashboards(config, plan)
    now = time.time()
    interval = seconds(config.scrape.interval)
    window = Window(now - seconds(since), now, interval)
    if prometheus:
        login = Login(password_file, ca_file)
        endpoint = named_endpoint(prometheus, "--prometheus", stack, config, login, PATIENCE)
        try:
            shown = with_data(shown, endpoint, window)
        finally:
            endpoint.close()
    source = prometheus or ""
    pages = {one.file: page(one, source, window) for one in shown}
    pages["index.html"] = index(plan.environment, shown, source, window)
    write_tree(out, pages, force, "dashboards")
    _report(plan.environment, shown, out, as_json)
    return 0


def _report(environment: str, shown: Sequence[Shown], out: Path, as_json: bool) -> None:
    numbers = counted(environment, shown)
    if as_json:
        console.print_json(numbers)
        return
    total = numbers["total"]
    console.say(f"{total['dashboards']} dashboards with {total['panels']} panels in {out}: open {out / 'index.html'}")
    if total["with_data"] is None:
        return
    console.say(f"{total['with_data']} of {total['panels']} panels have data")
    rows = [
        (board["name"], panel["panel"], panel["reason"])
        for board in numbers["dashboards"]
        for panel in board["without_data"]
    ]
    for line in console.table(rows):
        console.say(f"  {line}")
