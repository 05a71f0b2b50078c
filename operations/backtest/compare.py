"""What a backtest finds: an alert as it would have fired by the rule of now, beside the rule that it replaces."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from operations.backtest.history import History, Labels, Window
from operations.backtest.rules import Alert, Key
from operations.backtest.simulate import Run, episodes, joined

_TEMPLATE = re.compile(r'\{\{ *(?:or +)?\$labels\.(\w+)(?: +"([^"]*)")? *\}\}')


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert with these labels fires, in seconds since 1970, as far as the window goes."""

    labels: Labels
    start: float
    end: float
    before_window: bool = False
    """It fired at the window's begin already."""
    goes_on: bool = False
    """It still fires at the window's end."""

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule would have done."""

    alert: Alert
    expanded: str
    """The expression that was asked, where it is not that of the rule; else empty."""
    firings: tuple[Firing, ...]
    pending_only: int
    """Times in which it was pending and never fired."""
    series: int
    """Label sets for which its condition held at any time."""
    alike: int
    """Evaluations that would have failed, because two results have the same labels after those of the rule."""

    def summary(self) -> dict[str, Any]:
        """As data; times in seconds."""
        lengths = [firing.length for firing in self.firings]
        return {
            "expression": self.alert.expression,
            "asked": self.expanded or None,
            "for": self.alert.hold,
            "keep_firing_for": self.alert.keep,
            "interval": self.alert.interval,
            "firings": len(lengths),
            "firing_seconds": round(sum(lengths), 3),
            "longest": round(max(lengths, default=0.0), 3),
            "label_sets": len({firing.labels for firing in self.firings}),
            "pending_only": self.pending_only,
            "condition_label_sets": self.series,
            "failed_evaluations": self.alike,
            "episodes": [asdict(firing) | {"labels": dict(firing.labels)} for firing in self.firings],
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """One alert, by both rules."""

    key: Key
    change: str
    """changed, new, removed or same."""
    now: Outcome | None
    before: Outcome | None
    notes: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """As data; keys are only ever added."""
        subject, name, _ = self.key
        shared = overlap(self.now, self.before) if self.now and self.before else None
        return {
            "alert": name,
            "subject": subject,
            "change": self.change,
            "now": self.now and self.now.summary(),
            "before": self.before and self.before.summary(),
            "difference": shared,
            "notes": list(self.notes),
        }


def outcome(alert: Alert, expanded: str, found: History, window: Window, begin: float) -> Outcome:
    """What a rule does with these results; only what is after `begin` counts, seconds since 1970.

    Evaluations take place from the window's start on, so that what is active at the begin is known.
    """
    final: dict[Labels, list[Run]] = {}
    alike = 0
    for labels, runs in found.runs.items():
        own = _final(labels, alert.labels)
        alike += _common(final.get(own, ()), runs)
        final[own] = joined([*final.get(own, ()), *runs])
    firings: list[Firing] = []
    pending_only = series = 0
    end = window.at(found.asked - 1)
    for labels, runs in sorted(final.items()):
        series += any(window.at(last) >= begin for _, last in runs)
        for episode in episodes(runs, alert.interval, alert.hold, alert.keep, found.asked):
            over = end if episode.end is None else window.at(episode.end)
            if over <= begin and episode.end is not None:
                continue
            if episode.firing is None:
                pending_only += episode.end is not None
                continue
            start = window.at(episode.firing)
            firings.append(Firing(labels, max(start, begin), over, start < begin, episode.end is None))
    firings.sort(key=lambda firing: (firing.start, firing.labels))
    return Outcome(alert, expanded, tuple(firings), pending_only, series, alike)


def _final(labels: Labels, own: Labels) -> Labels:
    """Without the metric's name, the rule's labels over them; those by a template of `$labels` are filled in."""
    found = {name: value for name, value in labels if name != "__name__"}

    def filled(match: re.Match[str]) -> str:
        return dict(labels).get(match[1]) or match[2] or ""

    for name, value in own:
        found[name] = _TEMPLATE.sub(filled, value)
    return tuple(sorted((name, value) for name, value in found.items() if value))


def _common(one: Sequence[Run], other: Sequence[Run]) -> int:
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0]) + 1) for a in one for b in other)


def overlap(now: Outcome, before: Outcome) -> dict[str, float]:
    """Seconds in which both fire for the same labels, or one alone; labels that the change itself sets do not count."""
    ignored = {name for name, _ in {*now.alert.labels} ^ {*before.alert.labels}}
    mine, theirs = _spans(now, ignored), _spans(before, ignored)
    both = sum(
        max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
        for labels, spans in mine.items()
        for a in spans
        for b in theirs.get(labels, ())
    )
    alone = [sum(end - start for spans in each.values() for start, end in spans) - both for each in (mine, theirs)]
    return {"both": round(both, 3), "only_now": round(alone[0], 3), "only_before": round(alone[1], 3)}


def _spans(found: Outcome, ignored: Collection[str]) -> Mapping[Labels, list[tuple[float, float]]]:
    spans: dict[Labels, list[tuple[float, float]]] = {}
    for firing in found.firings:
        labels = tuple(pair for pair in firing.labels if pair[0] not in ignored)
        spans.setdefault(labels, []).append((firing.start, firing.end))
    return spans


@dataclass
class Report:
    """All of a backtest."""

    environment: str
    against: str
    base: str
    start: float
    end: float
    alerts: list[Compared] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    estimated: float = 0.0
    """Samples that all of it was estimated to cost."""
    samples: int = 0
    queries: int = 0
    asking: float = 0.0
    """Seconds in which the server was busy with it."""
    counted: bool = True
    """Whether the server itself counted the samples."""
    complete: bool = True

    def data(self) -> dict[str, Any]:
        """As data; times in seconds since 1970. Keys are only ever added."""
        return {
            "environment": self.environment,
            "against": self.against,
            "base": self.base,
            "from": self.start,
            "to": self.end,
            "complete": self.complete,
            "cost": {
                "estimated_samples": round(self.estimated),
                "samples": self.samples,
                "counted_by_the_server": self.counted,
                "queries": self.queries,
                "seconds": round(self.asking, 3),
            },
            "notes": self.notes,
            "alerts": [each.data() for each in self.alerts],
        }
