"""What a backtest costs a server: told before, counted by the server itself, never more than allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from operations.backtest.compare import Report
from operations.backtest.history import Cost, Window, history, probed
from operations.backtest.rules import Rules, read_rules
from operations.backtest.run import Backtest, chosen
from operations.backtest.snapshot import opened
from operations.budget import PAUSE, Budget, TooMuch
from operations.errors import CommandError
from operations.http import Endpoint
from tests.operations.backtest.blocks import BEGIN, steady, written

HOUR = 3600


def rules(expression: str, **more: Any) -> Rules:
    return read_rules([("shop", {"name": "shop", "rules": [{"alert": "Busy", "expr": expression, **more}]})], 15)


class Recording(Endpoint):
    """Counts what the server says it looked at, and remembers each question."""

    looked_at = 0
    forms: list[dict[str, str]]

    def prometheus_by_form(self, path: str, **parameters: str) -> Any:
        self.forms = [*getattr(self, "forms", []), parameters]
        answer = super().prometheus_by_form(path, **parameters)
        self.looked_at += answer["stats"]["samples"]["totalQueryableSamples"]
        return answer


Watched = Callable[[str], Recording]


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Endpoints by their address, closed afterwards."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(Recording("server", url)))


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten hours in which series become ever more: 1, then 2, then 4, ..., 512 of them; none goes."""
    samples = {'up{job="shop"}': steady(1, 0, 10 * HOUR)}
    for number in range(512):
        samples[f'busy{{one="{number}"}}'] = steady(1, math.log2(max(number, 1)) // 1 * HOUR, 10 * HOUR, 60)
    return written(samples, tmp_path_factory.mktemp("growing"))


def test_the_server_never_looks_at_more_than_allowed_though_series_grow(growing: Path, watched: Watched) -> None:
    with opened(growing, 30) as (plain, _):
        for limit in (2_000, 20_000, 200_000):
            server = watched(plain.url)
            budget = Budget(server, limit, 30, sleep=lambda _: None)
            window = Window(BEGIN, 10 * 240, 15)
            found = history("count_over_time(busy[2m]) > 0", window, Cost(0, 2), budget, lambda _: None)
            assert 0 < found.asked < window.evaluations
            assert limit / 4 < server.looked_at <= limit
            assert budget.spent == server.looked_at


def test_a_backtest_that_would_cost_too_much_is_refused_with_what_it_would_cost(
    growing: Path, watched: Watched
) -> None:
    with opened(growing, 30) as (plain, end):
        server = watched(plain.url)
        budget = Budget(server, 1_000_000, 30, sleep=lambda _: None)
        found = rules("count_over_time(busy[2m]) > 0")
        report = Report("test", "", "HEAD", end - 8 * HOUR, end)
        with pytest.raises(CommandError) as error:
            Backtest(found, found, report.start, report.end, budget).run(report, chosen(found, found, ["Busy"]))
        # 512 series at the end, two samples of each, 8 h of evaluations.
        assert 1_900_000 < report.estimated < 2_100_000
        assert server.looked_at < 20_000
    assert "--max-samples allows 1,000,000; most for Busy" in str(error.value)
    hint = error.value.hint
    days = float(hint.split("--days ")[1].split(" fits")[0])
    assert 0.1 < days < 8 / 24

    with opened(growing, 30) as (plain, end):
        report = Report("test", "", "HEAD", end - days * 86400, end)
        budget = Budget(watched(plain.url), 1_000_000, 30, sleep=lambda _: None)
        Backtest(found, found, report.start, report.end, budget).run(report, chosen(found, found, ["Busy"]))
    assert report.complete
    assert report.samples <= 1_000_000


def test_costs_are_worked_out_as_the_server_counts_them(growing: Path) -> None:
    at = BEGIN + 10 * HOUR - 60
    window = Window(at, 1, 60)
    with opened(growing, 30) as (server, _):
        for expression in (
            "busy > 0",
            "rate(busy[5m]) > 0 and on () up == 1",
            'busy{one=~"1.*"} offset 1h > 0',
        ):
            counted = probed(expression, window, Budget(server, 10**9, 30, sleep=lambda _: None))
            found = Budget(server, 10**9, 30, sleep=lambda _: None, scrape_interval=60).worked_out(expression, at)
            assert counted.of(1) == pytest.approx(found, rel=0.35), expression
        # Of samples that neighbouring evaluations of a subquery share, servers may look at each once: half of these.
        nested = "max_over_time(sum(rate(busy[2m]))[10m:1m]) > 0"
        counted = probed(nested, window, Budget(server, 10**9, 30, sleep=lambda _: None))
        found = Budget(server, 10**9, 30, sleep=lambda _: None, scrape_interval=60).worked_out(nested, at)
        assert counted.of(1) <= found == 512 * 2 * 10


def test_one_question_at_a_time_with_a_pause_as_long_as_it_took(growing: Path, watched: Watched) -> None:
    pauses: list[float] = []
    with opened(growing, 30) as (plain, _):
        server = watched(plain.url)
        budget = Budget(server, 10**7, 7, sleep=pauses.append)
        window = Window(BEGIN, 2400, 15)
        found = history("busy > 2", window, Cost(0, 500), budget, lambda _: None)
    assert found.asked == window.evaluations
    assert len(pauses) == budget.queries == len(server.forms) > 1
    assert sum(pauses) == pytest.approx(PAUSE * budget.asking)
    for form in server.forms:
        assert form["timeout"] == "7s"
        assert (float(form["end"]) - float(form["start"])) / float(form["step"]) < 11_000


def test_a_budget_that_is_spent_asks_nothing(growing: Path, watched: Watched) -> None:
    with opened(growing, 30) as (plain, _):
        server = watched(plain.url)
        with pytest.raises(TooMuch):
            Budget(server, 100, 30, spent=60).ask("/api/v1/query", 50, "busy")
    assert not hasattr(server, "forms")


def test_a_wrong_expression_is_an_error_and_no_traceback(growing: Path) -> None:
    with opened(growing, 30) as (server, _), pytest.raises(CommandError, match="parse error"):
        Budget(server, 10_000, 30).ask("/api/v1/query", 0, "sum(", time="1")
