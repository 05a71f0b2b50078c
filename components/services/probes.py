"""Health checks that several products share."""

from __future__ import annotations

from components.spec import Probe


def port_probe(port: int) -> Probe:
    """A health check by the tools of a busybox based image: the port accepts a connection.

    With TLS and a password on, no path answers without them, and a password is no argument.
    """
    return Probe(("nc", "-w", "2", "127.0.0.1", str(port)))
