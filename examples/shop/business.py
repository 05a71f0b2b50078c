"""Business metrics: what the shop sells and who is there, in the terms of those who run it."""

from __future__ import annotations

import itertools
import threading
import time
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from examples.shop.rate_limit import RateLimiter

PLANS = ("free", "premium")
SOURCES = ("search", "ads", "friends")
COUNTRIES = ("DE", "FR", "US")
CATEGORIES = ("books", "games", "tools")


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
            "Time from an order to its dispatch.",
            ["order_type", "fulfillment_type"],
            buckets=(10, 30, 60, 180, 300, 600, 1800, 3600),
            registry=registry,
        )
        self.revenue = Counter(
            "business_revenue_by_product_cents_total",
            "Revenue.",
            ["product_category", "currency"],  # not product_id: a catalogue grows, and every product would be a series
            registry=registry,
        )
        self.signups = Counter(
            "business_user_signups_total", "New users.", ["source", "plan", "country"], registry=registry
        )
        self.usage = Counter(
            "business_api_usage_by_client_total", "Requests by tier.", ["tier", "endpoint"], registry=registry
        )
        for method in ("card", "invoice"):
            for status in ("completed", "failed"):
                self.transactions.labels("purchase", status, method)
        for category in CATEGORIES:
            self.revenue.labels(category, "USD")
        for values in itertools.product(SOURCES, PLANS, COUNTRIES):
            self.signups.labels(*values)


# endregion: business


# region: active-users
class ActiveUsers:
    """Counts who was seen in the last five minutes. The users stay in here; the metric knows only how many they are."""

    def __init__(self, registry: CollectorRegistry, window: float = 300) -> None:
        self._window, self._lock = window, threading.Lock()
        self._seen: dict[tuple[str, str], float] = {}
        gauge = Gauge(
            "business_active_users", "Users seen in the last 5 minutes.", ["user_type", "plan"], registry=registry
        )
        for plan in PLANS:
            gauge.labels("registered", plan).set_function(partial(self.count, plan))

    def note(self, plan: str, user: str) -> None:
        """A user did something."""
        with self._lock:
            self._seen[plan, user] = time.monotonic()

    def count(self, plan: str) -> int:
        """How many of a plan are there now; who left is forgotten."""
        with self._lock:
            limit = time.monotonic() - self._window
            self._seen = {who: when for who, when in self._seen.items() if when >= limit}
            return sum(1 for each, _ in self._seen if each == plan)


# endregion: active-users


def show_quota(registry: CollectorRegistry, limiter: RateLimiter) -> None:
    """What the rate limit still allows, by tier."""
    gauge = Gauge("business_api_quota_remaining", "Requests left.", ["tier", "quota_type"], registry=registry)
    for plan in PLANS:
        gauge.labels(plan, "requests").set_function(partial(limiter.remaining, plan))
