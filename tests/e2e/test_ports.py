"""A port that somebody else has: the message names it, nothing else is lost, and the next `up` repairs it."""

from __future__ import annotations

import socket

from tests.e2e.engine import free_ports
from tests.e2e.stack import Stack


def test_port_in_use(stack: Stack) -> None:
    """The product that wanted the port waits; the others run on, untouched."""
    (taken,) = free_ports(1)
    at, before = stack.remember_sample(), stack.starts()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", taken))
        listener.listen()
        stack.configure(ports__alertmanager=taken)
        for _ in range(2):
            outcome = stack.failing_up()
            assert f"127.0.0.1:{taken}" in outcome.output, outcome
            assert "address already in use" in outcome.output or "port is already allocated" in outcome.output, outcome
            after = stack.starts()
            assert {name for name in before if after.get(name) != before[name]} == {"alertmanager"}
    stack.up()
    with stack.http("prometheus") as client:
        assert client.get(f"http://localhost:{taken}/-/ready").is_success
    assert stack.has_sample(at)
    stack.no_changes()
