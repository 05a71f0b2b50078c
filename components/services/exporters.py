"""What the exporters share."""

from __future__ import annotations

from components.context import Context
from components.spec import Probe


def exporter_probe(context: Context, port: int, path: str) -> Probe:
    """A health check by the tools of a busybox based image.

    With a password no path answers without it, and a password is no argument; so there the check is that the
    port accepts a connection.
    """
    if context.config.access:
        return Probe(("nc", "-w", "2", "127.0.0.1", str(port)))
    return Probe(("wget", "-q", "-T", "4", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"))
