"""How long and how often faults are put in: short for every day, at their full length on demand.

`pytest --full-length` (`make soak`) asks for the latter. What a test proves is the same; here it is just given more
chances to be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lengths:
    """Numbers of faults, and seconds."""

    kills: int
    """How often one of two Prometheus is killed, in turn."""
    dead: float
    """Seconds that it stays so."""
    bucket_away: float
    """Seconds that the S3 server is away, at least."""
    compactions: int
    """How often Prometheus is killed while it merges blocks, and how often while it makes one of what is in memory."""
    compactor_starts: int
    """How often Thanos' compactor is started and killed, each time later in its work."""
    power_cuts: int
    """How often all processes of an update die, each time later in it."""
    copies: int
    """How often a backup is killed."""
    real_alerts: bool
    """Whether alerts about a missing bucket keep their windows of many minutes."""


SHORT = Lengths(
    kills=6, dead=8, bucket_away=20, compactions=2, compactor_starts=5, power_cuts=2, copies=1, real_alerts=False
)
FULL = Lengths(
    kills=20, dead=60, bucket_away=600, compactions=8, compactor_starts=12, power_cuts=28, copies=10, real_alerts=True
)
