"""Customers who keep a WebSocket open for a while, to be told of prices and orders."""

from __future__ import annotations

import base64
import os
import random
import socket
import threading
import time
from collections.abc import Container
from contextlib import suppress
from urllib.parse import urlsplit

_NAMESPACES = ("prices", "prices", "orders")
_STAY = (20.0, 90.0)
"""Seconds that one of them listens, shortest and longest."""


class Listeners:
    """Keeps about `count` connections open; each is given up after a while, and another one comes."""

    def __init__(self, gateway: str, count: int, faults: Container[str]) -> None:
        address = urlsplit(gateway)
        self._address = (address.hostname or "localhost", address.port or 80)
        self._count, self._faults = count, faults
        self._open: list[tuple[float, socket.socket]] = []

    def run(self, stopping: threading.Event) -> None:
        """Come and go until told to stop."""
        while not stopping.wait(1):
            self.change()
        for _, connection in self._open:
            connection.close()

    def change(self) -> None:
        """Close those that have listened long enough, and open what is missing; without a gateway, later."""
        now = time.monotonic()
        for until, connection in self._open:
            if until < now:
                connection.close()
        self._open = [each for each in self._open if each[0] >= now]
        wanted = 1 if "few-customers" in self._faults else self._count
        with suppress(OSError):
            while len(self._open) < wanted:
                self._open.append((now + random.uniform(*_STAY), self._connect()))

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=3)
        key = base64.b64encode(os.urandom(16)).decode()
        host, port = self._address
        lines = (
            f"GET /ws/{random.choice(_NAMESPACES)} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if not connection.recv(1024).startswith(b"HTTP/1.1 101"):
            connection.close()
            raise ConnectionRefusedError("the gateway takes no WebSocket")
        return connection
