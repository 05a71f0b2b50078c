"""Errors of a deployment, in words for people."""

from __future__ import annotations

import sys
import traceback


class DeploymentError(Exception):
    """What went wrong on the engine; the text is complete."""


def without_frames() -> None:
    """Let a `DeploymentError` reach the user as its text alone.

    The plugin that runs dynamic providers answers every error with `traceback.format_exc()`. This is called in that
    plugin's own process only, and other errors, which are mistakes of ours, keep their frames.
    """
    whole = traceback.format_exc

    def plain(limit: int | None = None, chain: bool = True) -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, DeploymentError) else whole(limit, chain)

    if whole.__name__ != plain.__name__:
        traceback.format_exc = plain
