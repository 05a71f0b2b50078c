"""A backtest from its beginning to its end: what is asked, what it costs, what comes of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from components.config.base import duration_text
from operations import console
from operations.backtest.compare import Compared, Outcome, Report, outcome
from operations.backtest.expand import NotExpanded, expanded
from operations.backtest.history import Cost, Window, history, probed
from operations.backtest.rules import Alert, Key, Rules
from operations.budget import Budget, TooMuch
from operations.errors import CommandError, UsageError
from operations.running import CheckFailed

DAY = 86400.0
LOOKED_AT = 100
"""Points at which it is looked whether there are samples at all."""
SAFE = 0.9
"""Of the budget may be estimated to be needed: an estimate may be off."""


@dataclass
class Question:
    """One rule to run over the history."""

    alert: Alert
    expression: str
    window: Window
    cost: Cost = field(default_factory=lambda: Cost(0, 0))
    estimate: float = 0.0
    """Samples that all of it costs."""

    @property
    def written_out(self) -> str:
        """The expression where it is not the rule's own."""
        return self.expression if self.expression != self.alert.expression else ""


@dataclass
class Subject:
    """One alert: what became of it, and the rules to ask about; one for both where they do the same."""

    key: Key
    change: str
    now: Question | None = None
    before: Question | None = None
    notes: list[str] = field(default_factory=list)


def chosen(now: Rules, before: Rules, names: Sequence[str]) -> list[tuple[Key, str]]:
    """The alerts to run and what became of each: those that are named, else all that changed.

    Raises UsageError for a name that neither has.
    """
    every = [*now.alerts, *(key for key in before.alerts if key not in now.alerts)]
    if unknown := set(names) - {name for _, name, _ in every}:
        allowed = ", ".join(sorted({name for _, name, _ in every}))
        raise UsageError(f"this stack has no alert {', '.join(sorted(unknown))}", f"there are {allowed}")
    changes = [(key, _change(now, before, key)) for key in every]
    return [(key, change) for key, change in changes if (key[1] in names if names else change != "same")]


def _change(now: Rules, before: Rules, key: Key) -> str:
    if key not in before.alerts:
        return "new"
    if key not in now.alerts:
        return "removed"
    return "same" if now.meaning(key) == before.meaning(key) else "changed"


@dataclass
class Backtest:
    """All that is needed to ask: both sets of rules, the span in seconds since 1970, and the budget."""

    now: Rules
    before: Rules
    start: float
    end: float
    budget: Budget

    def run(self, report: Report, picked: Sequence[tuple[Key, str]]) -> None:
        """Ask everything and put it into the report. Raises CommandError where it would cost too much."""
        try:
            self._look_for_samples(report)
            subjects = [self._subject(key, change) for key, change in picked]
            questions = [each for subject in subjects for each in _questions(subject)]
            for question in questions:
                question.cost = probed(question.expression, question.window, self.budget)
                question.estimate = question.cost.all_of(question.window.evaluations, self.budget)
        except TooMuch:
            raise CommandError(
                f"even a few evaluations cost more than --max-samples {self.budget.limit:,} allows",
                "name fewer alerts, or allow more",
            ) from None
        report.estimated = sum(question.estimate for question in questions)
        self._afford(report, questions)
        for subject in subjects:
            report.alerts.append(self._compared(subject, report))
        report.samples, report.queries, report.asking = self.budget.spent, self.budget.queries, self.budget.asking
        report.counted = self.budget.counts_samples

    def _look_for_samples(self, report: Report) -> None:
        """Whether the server has samples of all the time, by whether any target was scraped."""
        step = max(1.0, (self.end - self.start) / LOOKED_AT)
        one = self._targets(self.end, 1.0, 0)[1]
        result, _ = self._targets(self.start, step, one * LOOKED_AT)
        times = [float(at) for series in result for at, _ in series["values"]]
        if not times:
            report.notes.append("the server has no `up` in all of this time: was anything scraped?")
        elif times[0] > self.start + 2 * step:
            length = duration_text(round((self.end - times[0]) / 60) * 60.0 or 60.0)
            report.notes.append(f"the server has samples of the last {length} only")
        elif len(times) < LOOKED_AT * 0.95:
            report.notes.append("there are gaps in the samples, in which alerts on missing series fire")

    def _targets(self, start: float, step: float, expected: float) -> tuple[list[dict[str, Any]], int]:
        times = {"start": f"{start:.3f}", "end": f"{self.end:.3f}", "step": f"{step:.3f}"}
        return self.budget.ask("/api/v1/query_range", expected, "count(up)", **times)

    def _subject(self, key: Key, change: str) -> Subject:
        found = Subject(key, change)
        if change != "removed":
            found.now = self._question(self.now, key, found.notes, "")
        if change == "same":
            found.before = found.now
        elif change != "new":
            found.before = self._question(self.before, key, found.notes, "the replaced rule: ")
        return found

    def _question(self, rules: Rules, key: Key, notes: list[str], whose: str) -> Question | None:
        alert = rules.alerts[key]
        window = Window.between(self.start, self.end, alert.interval, alert.hold + alert.keep + alert.interval)
        wanted = rules.recorded_for(alert.expression)
        # What the server has recorded, it has by the rules that ran: those of before, most likely.
        missing = {
            name
            for name in wanted
            if rules.records[name] != self.before.records.get(name) or not self._has(name, window)
        }
        # What is recorded of something that is missing was not recorded by this rule either.
        while more := {name for name in wanted - missing if self._builds_on(rules, name, missing)}:
            missing |= more
        try:
            expression = expanded(alert.expression, rules.records, missing, alert.interval)
        except NotExpanded as reason:
            notes.append(
                f"{whose}not run: {reason}, and the server has no {', '.join(sorted(missing))} as these rules record it"
            )
            return None
        if expression != alert.expression:
            notes.append(f"{whose}{', '.join(sorted(missing))} written out: the server has not recorded it so")
        return Question(alert, expression, window)

    def _builds_on(self, rules: Rules, name: str, missing: set[str]) -> bool:
        changed = {each for each in missing if rules.records[each] != self.before.records.get(each)}
        return any(rules.recorded_for(record.expression) & changed for record in rules.records[name])

    def _has(self, name: str, window: Window) -> bool:
        """Whether the server has this metric from the window's begin on, or at least within its first tenth."""
        end = window.start + max(300.0, window.evaluations * window.interval / 10)
        span = {"start": f"{window.start:.3f}", "end": f"{end:.3f}", "limit": "1"}
        try:
            # Its index alone: no sample is looked at.
            return bool(self.budget.server.prometheus("/api/v1/series", **{"match[]": name}, **span))
        except CheckFailed as error:
            raise CommandError(error.detail, error.remedy) from None

    def _afford(self, report: Report, questions: list[Question]) -> None:
        needed = report.estimated + self.budget.spent
        if needed <= self.budget.limit * SAFE:
            return
        heaviest = max(questions, key=lambda question: question.estimate)
        days = (self.end - self.start) / DAY
        fits = max(self.budget.limit * SAFE * 0.95 - self.budget.spent, 0) / report.estimated * days
        ways = [f"--days {int(fits * 100) / 100:g} fits"] if fits >= 0.02 else []
        ways.append(f"or allow --max-samples {round(needed / SAFE * 1.1):,}".replace(",", ""))
        raise CommandError(
            f"the server would have to look at about {needed:,.0f} samples, and --max-samples allows "
            f"{self.budget.limit:,}; most for {heaviest.alert.name} ({heaviest.estimate:,.0f})",
            f"{', '.join(ways)}, or name fewer alerts".removeprefix("or "),
        )

    def _compared(self, subject: Subject, report: Report) -> Compared:
        done: dict[int, Outcome] = {}
        for question in _questions(subject):
            word = "" if question is subject.now else " (before)"
            with _Progress(f"{subject.key[1]}{word}") as progress:
                found = history(question.expression, question.window, question.cost, self.budget, progress)
                progress.done(self.budget)
            if found.asked < question.window.evaluations:
                report.complete = False
                share = found.asked / question.window.evaluations
                subject.notes.append(f"stopped after {share:.0%} of the time: more would cost more than --max-samples")
            if found.asked:
                done[id(question)] = outcome(question.alert, question.written_out, found, question.window, self.start)
        now, before = (done.get(id(each)) if each else None for each in (subject.now, subject.before))
        for each in filter(None, (now, before if before is not now else None)):
            if each.alike:
                subject.notes.append(
                    f"{each.alike} evaluations would fail: two results have the same labels after those of the rule"
                )
        return Compared(subject.key, subject.change, now, before, tuple(subject.notes))


def _questions(subject: Subject) -> Iterator[Question]:
    if subject.now:
        yield subject.now
    if subject.before and subject.before is not subject.now:
        yield subject.before


class _Progress:
    """How far one question is, on standard error: rewritten in place on a terminal, one line elsewhere."""

    def __init__(self, name: str):
        self.name, self.start = name, time.monotonic()
        self.live = console.coloured(sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            sys.stderr.write("\r\033[K")

    def __call__(self, share: float) -> None:
        if self.live:
            sys.stderr.write(f"\r\033[K{self.name}: {share:.0%}")
            sys.stderr.flush()

    def done(self, budget: Budget) -> None:
        """The line that stays."""
        took = time.monotonic() - self.start
        end = "\r\033[K" if self.live else ""
        console.note(f"{end}{self.name}: {took:.1f} s; {budget.spent:,} samples so far in {budget.queries} queries")
