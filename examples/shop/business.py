"""Business metrics: what the shop sells and who is there, in the terms of those who run it."""

from __future__ import annotations

import itertools
import threading
import time
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PLANS = ("free", "premium")
TIERS = {"free": "free", "premium": "pro"}
"""Of the programming interface, by plan."""
SOURCES = ("search", "ads", "friends")
COUNTRIES = ("DE", "FR", "US")
LINES = {"atlas": "books", "novel": "books", "chess": "games", "puzzle": "games", "hammer": "tools", "saw": "tools"}
"""Product lines and their categories."""


# region: business
class BusinessMetrics:
    """Amounts as a histogram: its count is the number of transactions, its sum the turnover, by outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.transactions = Histogram(
            "business_transaction_amount_dollars",
            "Amounts of transactions.",
            ["type", "status", "payment_method"],
            buckets=(1, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 10000),
            registry=registry,
        )
        self.processing = Histogram(
            "business_order_processing_seconds",
            "Time from an order to its end.",
            ["order_type", "fulfillment_type"],
            buckets=(10, 30, 60, 180, 300, 600, 1800, 3600),
            registry=registry,
        )
        self.revenue = Counter(
            "business_revenue_by_product_cents_total",
            "Revenue in hundredths of the currency.",
            ["product", "product_category", "currency"],  # a product line: single products would be a series each
            registry=registry,
        )
        self.signups = Counter(
            "business_user_signups_total", "Users who signed up.", ["source", "plan", "country"], registry=registry
        )
        self.usage = Counter(
            "business_api_usage_by_client_total",
            "Calls of clients by their tier.",
            ["tier", "endpoint"],
            registry=registry,
        )
        for method in ("card", "invoice"):
            for status in ("success", "failed"):
                self.transactions.labels("purchase", status, method)
        self.processing.labels("standard", "shipping")
        for line, category in LINES.items():
            self.revenue.labels(line, category, "USD")
        for values in itertools.product(SOURCES, PLANS, COUNTRIES):
            self.signups.labels(*values)


# endregion: business


# region: active-users
class ActiveUsers:
    """Counts who was seen in the last five minutes. The users stay in here; the metric knows only how many they are."""

    def __init__(self, registry: CollectorRegistry, window: float = 300) -> None:
        self._window, self._lock = window, threading.Lock()
        self._seen: dict[tuple[str, str, str], float] = {}
        gauge = Gauge(
            "business_active_users", "Users active in the last 5 minutes.", ["user_type", "plan"], registry=registry
        )
        for kind, plan in (("registered", "free"), ("registered", "premium"), ("guest", "free")):
            gauge.labels(kind, plan).set_function(partial(self.count, kind, plan))

    def note(self, kind: str, plan: str, user: str) -> None:
        """A user did something."""
        with self._lock:
            self._seen[kind, plan, user] = time.monotonic()

    def count(self, kind: str, plan: str) -> int:
        """How many of a kind and plan are there now; who left is forgotten."""
        with self._lock:
            limit = time.monotonic() - self._window
            self._seen = {who: when for who, when in self._seen.items() if when >= limit}
            return sum(1 for *of, _ in self._seen if of == [kind, plan])


# endregion: active-users
