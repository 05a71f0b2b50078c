"""`python -m examples.shop`: the shop on a port, until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import socketserver
import sys
import threading
from types import FrameType
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics

from examples.faults import Faults
from examples.shop.application import ROUTES, Application, Machines
from examples.shop.http_metrics import Measured, RequestMetrics
from examples.shop.shop import FAULTS, Shop
from examples.shop.tracing import start_tracing


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each request; none of them keeps the process alive."""

    daemon_threads = True
    request_queue_size = 64


class QuietHandler(WSGIRequestHandler):
    """Requests are counted; a line for each would say the same at length."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


def build(registry: CollectorRegistry, payments: str, faults: Faults) -> tuple[Shop, Machines]:
    """The shop, and it as a WSGI application with everything around it."""
    shop = Shop(registry, payments, faults)
    application = Application(shop, registry)
    measured = Measured(application, RequestMetrics(registry, ROUTES), application.route)
    return shop, Machines(shop, registry, measured)


def main() -> int:
    """Serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="shop", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    parser.add_argument("--payments", default="http://localhost:8003", help="URL of the payment provider")
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS, help="on from the start; repeatable")
    options = parser.parse_args()

    # Otherwise each counter has a second series with the time of its birth, which hardly anybody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    tracing = start_tracing("shop") if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") else None
    faults = Faults(FAULTS)
    faults.replace(options.fault)
    shop, application = build(REGISTRY, options.payments, faults)
    stopping = threading.Event()

    def dispatch() -> None:
        while not stopping.wait(1):
            shop.dispatch()

    worker = threading.Thread(target=dispatch, name="dispatch")
    with make_server("", options.port, application, Server, QuietHandler) as server:

        def stop(_signal: int, _frame: FrameType | None) -> None:
            threading.Thread(target=server.shutdown).start()  # from this thread it would wait for itself

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        worker.start()
        print(f"shop answers on port {server.server_port}", flush=True)
        server.serve_forever()
    stopping.set()
    worker.join()
    if tracing:
        tracing.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
