"""`audit`: its options, its server, its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from components.config import StackConfig
from components.plan import plan_stack_file
from components.spec import Plan
from operations import console
from operations.audit.counted import counted
from operations.audit.show import described, lines
from operations.audit.suggest import suggestions
from operations.audit.used import recorded_by, used_by
from operations.budget import Budget
from operations.errors import CommandError
from operations.http import Endpoint
from operations.reviewed import Login, answering, named_endpoint, own_endpoint
from operations.running import CheckFailed


@dataclass(frozen=True, slots=True)
class Asked:
    """Which server to count, and what that may cost. `timeout` is in seconds, of one query."""

    against: str | None
    max_samples: int
    timeout: float
    least: int
    """Series of a job from which on something is suggested for it."""
    login: Login


def audit_command(stack: str, asked: Asked, json: bool) -> int:
    """Count a server's series and print what could be left out."""
    config, plan = plan_stack_file(stack)
    with _server(stack, config, plan, asked) as server:
        answering(server)
        budget = Budget(server, asked.max_samples, asked.timeout)
        used = used_by(plan, _running_rules(server))
        found = counted(server, budget, time.time())
        console.note(f"looked at {budget.spent:,} samples in {budget.queries} queries")
    recorded = recorded_by(plan)
    made = suggestions(config, found, used, recorded, asked.least)
    where = asked.against or f"{server.service} of the stack"
    answer = described(config, where, found, used, sorted(recorded), made)
    if json:
        console.print_json(answer)
    else:
        console.say("\n".join(lines(answer)))
    return 0


def _running_rules(server: Endpoint) -> list[str]:
    """The expressions of all rules that the server evaluates, planned or not."""
    try:
        groups = server.prometheus("/api/v1/rules")["groups"]
    except CheckFailed as error:
        raise CommandError(error.detail, error.remedy) from None
    return [rule["query"] for group in groups for rule in group["rules"]]


@contextmanager
def _server(stack: str, config: StackConfig, plan: Plan, asked: Asked) -> Iterator[Endpoint]:
    patience = asked.timeout + 5  # the server gives up first, and says so
    if asked.against is None:
        with own_endpoint(stack, config, plan, ("prometheus",), asked.login, patience) as endpoint:
            yield endpoint
        return
    endpoint = named_endpoint(asked.against, "--against", stack, config, asked.login, patience)
    try:
        yield endpoint
    finally:
        endpoint.close()
