"""Checks of VictoriaMetrics: whether it answers, and whether the samples of now reach it."""

from __future__ import annotations

from operations.checks.sent import fresh_samples
from operations.running import Check, Running

NAME = "victoria-metrics"


def ready(running: Running) -> str:
    """It serves; of a cluster, what answers queries."""
    running.endpoint(NAME).get("/api/v1/status/buildinfo")
    return running.endpoint(NAME).url


def has_fresh_samples(running: Running) -> str:
    """The samples of now are in it."""
    return fresh_samples(running, NAME)


CHECKS = (
    Check("victoria-metrics answers", ready, answers=NAME),
    Check("victoria-metrics has fresh samples", has_fresh_samples, (NAME,)),
)
