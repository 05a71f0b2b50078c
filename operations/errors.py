"""Errors that end a command with a message for people instead of a traceback."""

from __future__ import annotations


class CommandError(Exception):
    """What went wrong, and what to do about it."""

    def __init__(self, message: str, hint: str = ""):
        self.message, self.hint = message, hint
        super().__init__(f"error: {message}" + (f"\nhint: {hint}" if hint else ""))


class UsageError(CommandError):
    """The command was called in a way that cannot be meant; exit code 2."""
