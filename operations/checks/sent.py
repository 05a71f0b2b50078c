"""Whether the samples of now reach the database that Prometheus sends them to."""

from __future__ import annotations

import time

from components.config.base import seconds
from operations.running import CheckFailed, Running

SHOWN = 60
"""Seconds after which a sample is shown at the latest: half a minute, and the way there."""


def fresh_samples(running: Running, name: str, below: str = "") -> str:
    """A query there answers with samples of this stack that are not older than the last two scrapes.

    `name` is the endpoint, `below` the path that its query API stands at.
    """
    found = running.endpoint(name).prometheus(
        f"{below}/api/v1/query", query=f'timestamp(up{{environment="{running.config.environment}"}})'
    )["result"]
    if not found:
        raise CheckFailed(
            "it has no sample of this stack",
            "Prometheus' log says what it is answered when it sends; right after the first deployment wait a minute",
        )
    age = time.time() - max(float(each["value"][1]) for each in found)
    if age > SHOWN + 2 * seconds(running.config.scrape.interval):
        raise CheckFailed(f"its newest sample is {age:.0f} s old", "see runbooks/PrometheusRemoteWriteBehind.md")
    return f"{len(found)} targets, the newest sample is {age:.0f} s old"
