"""Customers: a steady stream of requests that swells and ebbs like a day's."""

from __future__ import annotations

import http.client
import json
import math
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry, Counter

from examples.shop.business import COUNTRIES, PLANS, SOURCES

_TOGETHER = 32
_USERS = {"free": 120, "premium": 60, "guest": 40}
_BURST = 60
"""Requests a second of a client that runs wild; the shop grants all guests together 20."""


class Customers:
    """Sends `rate` requests a second on average; a day takes `day` seconds. Faults change how many come."""

    def __init__(
        self, registry: CollectorRegistry, gateway: str, rate: float, day: float, faults: Container[str]
    ) -> None:
        self._gateway, self._rate, self._day, self._faults = gateway, rate, day, faults
        self._sent = Counter("demo_requests_total", "Requests sent.", ["outcome"], registry=registry)
        for outcome in ("success", "refused", "failure"):
            self._sent.labels(outcome)

    def wanted(self, seconds: float) -> float:
        """Requests a second at a time since the start."""
        wave = 1 + 0.4 * math.sin(2 * math.pi * seconds / self._day)
        if "few-customers" in self._faults:
            return 0.5
        return self._rate * wave + (_BURST if "rate-limit" in self._faults else 0)

    def run(self, stopping: threading.Event) -> None:
        """Send until told to stop. The pace holds also when answers are slow: people do not wait for each other."""
        start = following = time.monotonic()
        under_way = threading.Semaphore(_TOGETHER)
        with ThreadPoolExecutor(_TOGETHER) as pool:
            while not stopping.wait(max(0.0, following - time.monotonic())):
                following = max(following, time.monotonic() - 1) + random.expovariate(self.wanted(following - start))
                if under_way.acquire(blocking=False):
                    pool.submit(self._one).add_done_callback(lambda _done: under_way.release())

    def _one(self) -> None:
        few, wild = "few-customers" in self._faults, "rate-limit" in self._faults and random.random() < 0.8
        kind = "guest" if few or wild else random.choices(tuple(_USERS), (0.5, 0.35, 0.15))[0]
        headers = {"X-Plan": kind, "X-User": f"{kind}-{random.randrange(_USERS[kind])}"}
        method, path, body = ("GET", "/api/products", None) if wild else self._request()
        request = urllib.request.Request(self._gateway + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
            outcome = "success"
        except urllib.error.HTTPError as error:
            outcome = "failure" if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
            error.close()
        except (OSError, http.client.HTTPException):
            outcome = "failure"
        self._sent.labels(outcome).inc()

    @staticmethod
    def _request() -> tuple[str, str, bytes | None]:
        # Some products are in fashion, most are hardly looked at: without that, no cache would be of use.
        product = 1 + min(int(random.expovariate(1 / 15)), 199)
        kind = random.random()
        if kind < 0.62:
            return "GET", f"/api/products/{product}", None
        if kind < 0.80:
            return "GET", "/api/products", None
        if kind < 0.95:
            order = {
                "product": product,
                "amount": random.choice((1, 1, 1, 2, 3)),
                "method": random.choice(("card", "invoice")),
            }
            return "POST", "/api/orders", json.dumps(order).encode()
        user = {"source": random.choice(SOURCES), "plan": random.choice(PLANS), "country": random.choice(COUNTRIES)}
        return "POST", "/api/signups", json.dumps(user).encode()
