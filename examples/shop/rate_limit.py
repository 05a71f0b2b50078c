"""Rate limit: refused requests by kind of limit and kind of client, never by client."""

from __future__ import annotations

import threading
import time

from prometheus_client import CollectorRegistry, Counter


# region: rate-limit
class RateLimiter:
    """Token buckets by kind of client: `rates` are requests a second, of which a burst may take `burst` times as many.

    Which client it was belongs into a log line or a span; as a label, each would be a series of its own.
    """

    def __init__(self, registry: CollectorRegistry, rates: dict[str, float], burst: float = 5) -> None:
        self._rates, self._burst, self._lock = rates, burst, threading.Lock()
        self._tokens = {client: (rate * burst, time.monotonic()) for client, rate in rates.items()}
        self.hits = Counter(
            "rate_limit_hits_total", "Requests refused.", ["limit_type", "client_type"], registry=registry
        )
        for client in rates:
            self.hits.labels("per_second", client)

    def remaining(self, client: str) -> float:
        """How many requests this kind of client may make at once."""
        tokens, since = self._tokens[client]
        rate = self._rates[client]
        return min(rate * self._burst, tokens + (time.monotonic() - since) * rate)

    def allows(self, client: str) -> bool:
        """Whether one more request may pass; a refusal is counted."""
        with self._lock:
            tokens = self.remaining(client)
            allowed = tokens >= 1
            self._tokens[client] = (tokens - allowed, time.monotonic())
        if not allowed:
            self.hits.labels("per_second", client).inc()
        return allowed


# endregion: rate-limit
