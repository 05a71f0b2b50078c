"""What the shop does: products, carts, orders. Each part measures itself; the code here reads like a shop."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from prometheus_client import CollectorRegistry

from examples.faults import Faults
from examples.shop.batch import BatchMetrics, BatchProcessor
from examples.shop.business import LINES, ActiveUsers, BusinessMetrics
from examples.shop.cache import Cache, CacheMetrics
from examples.shop.database import Database, DatabaseMetrics, PoolExhausted
from examples.shop.dependencies import Dependency, DependencyMetrics, DependencyUnavailable, State
from examples.shop.health import Health, HealthCollector
from examples.shop.job_queue import MeasuredQueue, QueueMetrics
from examples.shop.rate_limit import RateLimiter
from examples.shop.resources import ContainerResources
from examples.shop.tracked_block import BlockMetrics
from examples.shop.tracked_function import FunctionMetrics

FAULTS = ("errors", "latency", "pool-exhaustion", "cache-misses")
_PRODUCTS = 200


@dataclass(frozen=True)
class Order:
    """One order that was paid and waits for its dispatch."""

    product: int
    placed: float


class Broken(Exception):
    """The fault `errors`: as from a mistake in the code."""


class Shop:
    """All of its state, and one method for each thing that customers do."""

    def __init__(self, registry: CollectorRegistry, payments: str, faults: Faults) -> None:
        self.faults = faults
        self.business = BusinessMetrics(registry)
        self.active = ActiveUsers(registry)
        self.limiter = RateLimiter(registry, {"anonymous": 20, "registered": 200})
        self.database = Database(DatabaseMetrics(registry), "primary")
        self.catalogue: Cache[dict[str, Any]] = Cache(CacheMetrics(registry), "catalogue")
        self.payments = Dependency(DependencyMetrics(registry), "payments", payments)
        self.blocks = BlockMetrics(registry, "checkout")
        self.orders: MeasuredQueue[Order] = MeasuredQueue(QueueMetrics(registry), "dispatch")
        self.dispatching = BatchProcessor(BatchMetrics(registry), "dispatch_orders", self._dispatch)
        self.price = FunctionMetrics(registry)("price_order")(self._price)
        self.health = HealthCollector(registry, {"database": self._database_health, "payments": self._payments_health})
        ContainerResources(registry)
        self._fill()

    def products(self) -> list[dict[str, Any]]:
        """The first page of the catalogue."""
        self._disturb()
        rows = self.database.query("select", "products", "SELECT id, name, category, cents FROM products LIMIT 20")
        return [_product(row) for row in rows]

    def product(self, number: str) -> dict[str, Any] | None:
        """One product; from the cache where it is there."""
        self._disturb()
        # Keys that nobody asked for before, as from a client that adds a random parameter: nothing is ever found.
        key = f"{number}?{time.monotonic_ns()}" if "cache-misses" in self.faults else number
        found = self.catalogue.get(key)
        if found is None:
            sql = "SELECT id, name, category, cents FROM products WHERE id = ?"
            rows = self.database.query("select", "products", sql, [number])
            if not rows:
                return None
            found = _product(rows[0])
            self.catalogue.set(key, found)
        return found

    def order(self, product: int, amount: int, method: str) -> bool:
        """Buy something; whether the payment went well. Failing to pay is an outcome, not an error of the shop."""
        self._disturb()
        cents = self.price(product, amount)
        with self.blocks.track("checkout"):
            try:
                self.payments.post("/charges", json.dumps({"cents": cents, "method": method}).encode())
            except DependencyUnavailable as error:
                trace.get_current_span().record_exception(error)
                self.business.transactions.labels("purchase", "failed", method).observe(cents / 100)
                return False
            values = (product, cents, time.time())
            self.database.query("insert", "orders", "INSERT INTO orders VALUES (?, ?, ?)", values)
        self.business.transactions.labels("purchase", "success", method).observe(cents / 100)
        line = _line(product)
        self.business.revenue.labels(line, LINES[line], "USD").inc(cents)
        self.orders.put(Order(product, time.time()))
        return True

    def sign_up(self, source: str, plan: str, country: str) -> None:
        """One more user."""
        self._disturb()
        self.business.signups.labels(source, plan, country).inc()

    def dispatch(self) -> None:
        """What a worker does every second: pack what was ordered."""
        if waiting := self.orders.take(most=50):
            self.dispatching.run(waiting)

    def _price(self, product: int, amount: int) -> int:
        found = self.product(str(product))
        if found is None:
            raise LookupError(f"no product {product}")
        return int(found["cents"]) * amount

    def _dispatch(self, order: Order) -> None:
        # A warehouse takes minutes; here they are made up, or its histogram would have one bucket.
        minutes = random.lognormvariate(1.2, 0.6)
        self.business.processing.labels("standard", "shipping").observe(time.time() - order.placed + minutes * 60)

    def _disturb(self) -> None:
        """Where faults come from."""
        if "latency" in self.faults:
            time.sleep(random.uniform(0.6, 1.5))
        if "pool-exhaustion" in self.faults:
            with self.database.connection():
                time.sleep(3)
        if "errors" in self.faults and random.random() < 0.3:
            raise Broken("the fault `errors` is on")

    def _database_health(self) -> Health:
        try:
            self.database.query("select", "products", "SELECT 1")
        except PoolExhausted:
            return Health.DEGRADED
        return Health.HEALTHY

    def _payments_health(self) -> Health:
        return Health.DEGRADED if self.payments.breaker.state is State.OPEN else Health.HEALTHY

    def _fill(self) -> None:
        with self.database.connection() as connection:
            connection.execute(
                "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, category TEXT, cents INTEGER)"
            )
            connection.execute("CREATE TABLE orders (product INTEGER, cents INTEGER, placed REAL)")
            products = [
                (number, f"{_line(number)} {number}", LINES[_line(number)], 500 + number * 37 % 9500)
                for number in range(1, _PRODUCTS + 1)
            ]
            connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", products)


def _line(product: int) -> str:
    return tuple(LINES)[product % len(LINES)]


def _product(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("id", "name", "category", "cents"), row, strict=True))
