"""The shop over HTTP: routes to what the shop does, as a plain WSGI application."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from examples.faults import UnknownFault
from examples.shop.business import COUNTRIES, PLANS, SOURCES, TIERS
from examples.shop.health import Health
from examples.shop.http_metrics import UNMATCHED
from examples.shop.responses import response_sizes, show_version
from examples.shop.shop import Shop

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

Answer = tuple[HTTPStatus, Any]

ROUTES = (
    ("GET", "/products", HTTPStatus.OK),
    ("GET", "/products/{id}", HTTPStatus.OK),
    ("POST", "/orders", HTTPStatus.CREATED),
    ("POST", "/signups", HTTPStatus.CREATED),
)
"""What customers ask for, and the status when all is well.

Routes that machines ask for (/metrics, /health, /faults) are not measured: they are no traffic."""
_PRODUCT = re.compile(r"/products/\d{1,9}")
_SMALL = 10_000


class BadRequest(Exception):
    """The request is wrong; the text says how."""


class Application:
    """Finds the route and answers in JSON."""

    def __init__(self, shop: Shop, registry: CollectorRegistry) -> None:
        self._shop, self._sizes = shop, response_sizes(registry)
        show_version(registry)
        self._handlers: dict[tuple[str, str], Callable[[WSGIEnvironment], Answer]] = {
            ("GET", "/products"): lambda _environ: (HTTPStatus.OK, shop.products()),
            ("GET", "/products/{id}"): self._product,
            ("POST", "/orders"): self._order,
            ("POST", "/signups"): self._sign_up,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        route = self.route(environ)
        status, content = self._answer(environ, route)
        body = json.dumps(content).encode()
        self._sizes.labels(route).observe(len(body))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def route(self, environ: WSGIEnvironment) -> str:
        """The route that a request matches: `/products/{id}`, never the path with the id in it."""
        path = environ["PATH_INFO"]
        route = "/products/{id}" if _PRODUCT.fullmatch(path) else path
        return route if (environ["REQUEST_METHOD"], route) in self._handlers else UNMATCHED

    def _answer(self, environ: WSGIEnvironment, route: str) -> Answer:
        handler = self._handlers.get((environ["REQUEST_METHOD"], route))
        if handler is None:
            return HTTPStatus.NOT_FOUND, {"error": "no such route"}
        plan = environ.get("HTTP_X_PLAN", "")
        registered = plan in PLANS  # what a client sends becomes a label only if it is a known value
        plan = plan if registered else "free"
        self._shop.active.note("registered" if registered else "guest", plan, environ.get("HTTP_X_USER", "")[:64])
        self._shop.business.usage.labels(TIERS[plan], route).inc()
        if not self._shop.limiter.allows("registered" if registered else "anonymous"):
            return HTTPStatus.TOO_MANY_REQUESTS, {"error": "slow down"}
        try:
            return handler(environ)
        except BadRequest as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it is, the customer gets an answer
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": type(error).__name__}

    def _product(self, environ: WSGIEnvironment) -> Answer:
        found = self._shop.product(environ["PATH_INFO"].rpartition("/")[2])
        return (HTTPStatus.NOT_FOUND, {"error": "no such product"}) if found is None else (HTTPStatus.OK, found)

    def _order(self, environ: WSGIEnvironment) -> Answer:
        data = _body(environ)
        product, amount, method = data.get("product"), data.get("amount", 1), data.get("method", "card")
        if not (isinstance(product, int) and isinstance(amount, int) and 0 < amount < 100):
            raise BadRequest("product and amount must be numbers, amount below 100")
        if method not in ("card", "invoice"):
            raise BadRequest("method must be card or invoice")
        paid = self._shop.order(product, amount, method)
        return (HTTPStatus.CREATED, {"paid": True}) if paid else (HTTPStatus.PAYMENT_REQUIRED, {"paid": False})

    def _sign_up(self, environ: WSGIEnvironment) -> Answer:
        data = _body(environ)
        source, plan, country = (str(data.get(key)) for key in ("source", "plan", "country"))
        known = (source, SOURCES), (plan, PLANS), (country, COUNTRIES)
        if any(value not in allowed for value, allowed in known):
            raise BadRequest("source, plan and country must be known ones")
        self._shop.sign_up(source, plan, country)
        return HTTPStatus.CREATED, {}


class Machines:
    """What only machines ask for: metrics, health, faults. Everything else goes on to the application."""

    def __init__(self, shop: Shop, registry: CollectorRegistry, application: Callable[..., Iterable[bytes]]) -> None:
        self._shop, self._registry, self._application = shop, registry, application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return self._metrics(environ, start_response)
        if path == "/health":
            states = self._shop.health.states()
            down = Health.DOWN in states.values()
            status = HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
            return _json(start_response, status, {name: state.name.lower() for name, state in states.items()})
        if path == "/faults":
            try:
                if environ["REQUEST_METHOD"] == "PUT":
                    self._shop.faults.replace_from(_read(environ))
            except UnknownFault as error:
                return _json(start_response, HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return _json(start_response, HTTPStatus.OK, self._shop.faults.state())
        return self._application(environ, start_response)

    # region: expose
    def _metrics(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Exemplars exist in the OpenMetrics format only; Prometheus asks for it, a browser gets the older one.
        encode, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", content_type)])
        return [encode(self._registry)]

    # endregion: expose


def _json(start_response: StartResponse, status: HTTPStatus, content: Any) -> Iterable[bytes]:
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [json.dumps(content).encode()]


def _read(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    body: bytes = environ["wsgi.input"].read(min(int(length), _SMALL)) if length.isdigit() else b""
    return body


def _body(environ: WSGIEnvironment) -> dict[str, Any]:
    try:
        data = json.loads(_read(environ))
    except ValueError:
        raise BadRequest("the body must be JSON") from None
    if not isinstance(data, dict):
        raise BadRequest("the body must be an object")
    return data
