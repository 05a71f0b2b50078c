"""`python -m examples.traffic`: customers and payment provider of the demo, until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

from prometheus_client import REGISTRY, disable_created_metrics

from examples.traffic.customers import Customers
from examples.traffic.listeners import Listeners
from examples.traffic.server import Server
from examples.traffic.switch import Switch

_TELL_SECONDS = 5


def main() -> int:
    """Runs until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="traffic", description=__doc__)
    parser.add_argument("--port", type=int, default=8003, help="default: 8003")
    parser.add_argument("--gateway", default="http://localhost:8001", help="URL that customers ask")
    parser.add_argument("--shop", default="http://localhost:8000", help="URL of the shop, for its faults")
    parser.add_argument("--exporter", default="http://localhost:8002", help="URL of the exporter, for its faults")
    parser.add_argument("--rate", type=float, default=12, help="requests a second on average; default: 12")
    parser.add_argument("--day", type=float, default=600, help="seconds from one peak to the next; default: 600")
    parser.add_argument("--fault", action="append", default=[], help="on from the start; repeatable")
    options = parser.parse_args()

    disable_created_metrics()  # type: ignore[no-untyped-call]
    switch = Switch(REGISTRY, {"shop": options.shop, "exporter": options.exporter})
    for name in options.fault:
        switch.want(name)
    customers = Customers(REGISTRY, options.gateway, options.rate, options.day, switch)
    listeners = Listeners(options.gateway, 12, switch)
    stopping = threading.Event()

    def tell() -> None:
        switch.tell()
        while not stopping.wait(_TELL_SECONDS):
            switch.tell()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with Server(options.port, switch, REGISTRY) as server:
        print(f"traffic answers on port {server.server_port}", flush=True)
        for work in (server.serve_forever, tell, lambda: listeners.run(stopping)):
            threading.Thread(target=work, daemon=True).start()
        customers.run(stopping)
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
