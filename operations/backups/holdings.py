"""What the programs of a running stack say of the data that they hold."""

from __future__ import annotations

import time

from operations import console
from operations.backups.copies import Copies
from operations.errors import CommandError
from operations.inside import Inside
from operations.running import CheckFailed


def counts(copies: Copies) -> dict[str, int]:
    """What the stack holds now, as its programs tell: series, samples since its start, blocks, silences."""
    found: dict[str, int] = {}
    now = time.time()
    asked = (
        ("series", "prometheus_tsdb_head_series"),
        ("samples", "sum(prometheus_tsdb_head_samples_appended_total)"),
        ("blocks", "prometheus_tsdb_blocks_loaded"),
    )
    prometheus, alertmanager = copies.inside("prometheus"), copies.inside("alertmanager")
    for name, expression in asked:
        if prometheus:
            try:
                found[name] = round(prometheus.number(expression, now))
            except CheckFailed as error:
                console.note(f"{name}: {error.detail}")
    if alertmanager:
        try:
            found["silences"] = len(alertmanager.silences())
        except CheckFailed as error:
            console.note(f"silences: {error.detail}")
    return found


def proof(prometheus: Inside | None, alertmanager: Inside | None, taken: float) -> dict[str, int]:
    """What restored programs answer of the time at which the copy was taken."""
    found: dict[str, int] = {}
    try:
        if prometheus:
            found["series at that time"] = round(prometheus.number('count({__name__!=""})', taken))
        if alertmanager:
            found["silences"] = len(alertmanager.silences())
    except CheckFailed as error:
        raise CommandError(
            f"the copy is in place, but {error.detail}", "see its log: docker logs, kubectl logs"
        ) from None
    return found
