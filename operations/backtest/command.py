"""`backtest`: its options, its server, its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.config import StackConfig
from components.config.base import seconds
from components.plan import plan_stack_file
from components.spec import Plan
from operations import console
from operations.backtest.compare import Report
from operations.backtest.page import page
from operations.backtest.rules import planned_rules, rules_at
from operations.backtest.run import DAY, Backtest, chosen
from operations.backtest.show import lines
from operations.budget import Budget
from operations.http import Endpoint
from operations.reviewed import Login, answering, named_endpoint, own_endpoint
from operations.written import writable, write

LONGEST_HISTORY = ("thanos-query-frontend", "thanos-query", "vmselect", "victoria-metrics", "prometheus")
"""Of a stack's own servers, the one that remembers most comes first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to run against which server. `timeout` is in seconds, of one query."""

    alerts: Sequence[str]
    against: str | None
    base: str
    days: float
    max_samples: int
    timeout: float
    login: Login


def backtest_command(stack: str, asked: Asked, html: Path | None, json: bool) -> int:
    """Run the alerts over the history; 1 where the budget ended it."""
    writable(html, "--html")
    config, plan = plan_stack_file(stack)
    now = planned_rules(config, plan)
    before, remark = rules_at(asked.base, stack)
    picked = chosen(now, before, asked.alerts)
    with _server(stack, config, plan, asked) as (server, end):
        report = Report(plan.environment, server.url, asked.base, end - asked.days * DAY, end)
        report.against = asked.against or f"{server.service} of the stack"
        report.notes += [remark] if remark else []
        interval = seconds(config.scrape.interval)
        budget = Budget(server, asked.max_samples, asked.timeout, scrape_interval=interval)
        if picked:
            Backtest(now, before, report.start, report.end, budget).run(report, picked)
    if json:
        console.print_json(report.data())
    else:
        console.say("\n".join(lines(report)))
    write(html, page(report) if html else "")
    return 0 if report.complete else 1


@contextmanager
def _server(stack: str, config: StackConfig, plan: Plan, asked: Asked) -> Iterator[tuple[Endpoint, float]]:
    """The server to ask, and the time up to which it has samples."""
    patience = asked.timeout + 5  # the server gives up first, and says so
    if asked.against and Path(asked.against).is_dir():
        from operations.backtest.snapshot import opened

        with opened(Path(asked.against), patience) as found:
            yield found
        return
    if asked.against is None:
        with own_endpoint(stack, config, plan, LONGEST_HISTORY, asked.login, patience) as endpoint:
            answering(endpoint)
            yield endpoint, time.time()
        return
    endpoint = named_endpoint(asked.against, "--against", stack, config, asked.login, patience)
    try:
        answering(endpoint)
        yield endpoint, time.time()
    finally:
        endpoint.close()
