"""Traffic: how many customers come, and one switch for the faults of all programs."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from examples.faults import Faults, UnknownFault
from examples.traffic import fault
from examples.traffic.customers import Customers
from examples.traffic.listeners import Listeners
from examples.traffic.server import Server
from examples.traffic.switch import OWN, Switch


@pytest.fixture
def serve() -> Iterator[Callable[[ThreadingHTTPServer], str]]:
    """Runs a server for the length of a test; gives its URL."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def begin(server: ThreadingHTTPServer) -> str:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield begin
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


class Shop(BaseHTTPRequestHandler):
    """Answers every request, notes who asked for what, and has faults of its own."""

    faults = Faults(())
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - set anew for each test

    def do_GET(self) -> None:
        self._answer(json.dumps(self.faults.state()) if self.path == "/faults" else "{}")

    def do_PUT(self) -> None:
        self.faults.replace_from(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(json.dumps(self.faults.state()))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("{}")

    def _answer(self, text: str) -> None:
        self.asked.append((self.path, self.headers.get("X-Plan", "")))
        self.send_response(429 if self.headers.get("X-Plan") == "guest" else 200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@pytest.fixture
def played(serve: Callable[[ThreadingHTTPServer], str]) -> str:
    Shop.faults, Shop.asked = Faults(("errors", "latency")), []
    return serve(ThreadingHTTPServer(("127.0.0.1", 0), Shop))


def test_customers_swell_and_ebb(registry: CollectorRegistry) -> None:
    customers = Customers(registry, "http://127.0.0.1:9", rate=10, day=600, faults=())
    rates = [customers.wanted(second) for second in range(600)]
    assert sum(rates) / 600 == pytest.approx(10, rel=0.01)
    assert max(rates) == pytest.approx(14, rel=0.01)
    assert min(rates) == pytest.approx(6, rel=0.01)


def test_faults_change_how_many_come(registry: CollectorRegistry) -> None:
    def rate(*faults: str) -> float:
        return Customers(CollectorRegistry(), "http://127.0.0.1:9", 10, 600, faults).wanted(0)

    assert rate("rate-limit") == rate() + 60
    assert rate("few-customers") == 0.5


class Clock(threading.Event):
    """Waiting lets its time pass and no other, and is over with a customer's visit; it is set after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.now, self.seconds, self.visits = 0.0, seconds, 0
        self._visited = threading.Semaphore(1)

    def monotonic(self) -> float:
        return self.now

    def visit(self) -> None:
        self.visits += 1
        self._visited.release()

    def wait(self, timeout: float | None = None) -> bool:
        # Or this would be faster than those who ask, of whom only so many are let in at once.
        assert self._visited.acquire(timeout=120)
        self.now += timeout or 0
        return self.now >= self.seconds


def test_they_ask_at_the_pace_that_is_wanted(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    customers, clock = Customers(registry, "http://127.0.0.1:9", rate=80, day=600, faults=()), Clock(seconds=20)
    monkeypatch.setattr("examples.traffic.customers.time", clock)
    monkeypatch.setattr(customers, "_one", clock.visit)
    customers.run(clock)
    # 1,667 are wanted, by chance 41 more or fewer.
    assert 1400 < clock.visits < 1950


def test_they_ask_for_everything(registry: CollectorRegistry, played: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: ask(request, timeout=12 * timeout))
    customers = Customers(registry, played, rate=80, day=600, faults=())
    for _ in range(500):
        customers._one()
    assert len(Shop.asked) == 500
    assert {plan for _, plan in Shop.asked} == {"free", "premium", "guest"}
    paths = {"/api/products/" if "/products/" in path else path for path, _ in Shop.asked}
    assert paths == {"/api/products", "/api/products/", "/api/orders", "/api/signups"}
    refused = registry.get_sample_value("demo_requests_total", {"outcome": "refused"})
    assert refused == sum(plan == "guest" for _, plan in Shop.asked)


def test_a_shop_that_is_not_there_is_a_failure_and_no_end(registry: CollectorRegistry) -> None:
    customers = Customers(registry, "http://127.0.0.1:9", rate=10, day=600, faults=())
    customers._one()
    assert registry.get_sample_value("demo_requests_total", {"outcome": "failure"}) == 1


def test_listeners_come_and_go(gateway: str) -> None:
    def connected() -> float:
        text = httpx.get(f"{gateway}/metrics", trust_env=False, timeout=60).text
        return sum(
            float(line.split()[1]) for line in text.splitlines() if line.startswith("websocket_connections_active{")
        )

    def until(wanted: int) -> None:
        deadline = time.monotonic() + 120
        while (found := connected()) != wanted:
            assert time.monotonic() < deadline, f"{found} listen, not {wanted}"
            time.sleep(0.05)
            if wanted:  # as `run` does: the gateway may have been too slow for one of them, or one has left meanwhile
                listeners.change()

    faults: set[str] = set()
    listeners, stopping = Listeners(gateway, 3, faults), threading.Event()
    listeners.change()
    until(3)
    faults.add("few-customers")
    listeners._open = [(0.0, connection) for _, connection in listeners._open]
    listeners.change()
    until(1)
    stopping.set()
    listeners.run(stopping)
    until(0)
    Listeners("http://127.0.0.1:9", 3, faults).change()  # nobody there: no error, and another try later


@pytest.fixture
def traffic(registry: CollectorRegistry, played: str, serve: Callable[[ThreadingHTTPServer], str]) -> httpx.Client:
    switch = Switch(registry, {"shop": played, "gone": "http://127.0.0.1:9"})
    switch.tell()
    return httpx.Client(base_url=serve(Server(0, switch, registry)), trust_env=False)


def faults(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def test_a_fault_is_switched_where_it_takes_effect(traffic: httpx.Client, registry: CollectorRegistry) -> None:
    with traffic:
        assert faults(traffic.get("/faults")) == dict.fromkeys((*OWN, "errors", "latency"), False)
        assert faults(traffic.post("/faults/errors"))["errors"] is True
        assert Shop.faults.state() == {"errors": True, "latency": False}
        assert registry.get_sample_value("demo_fault_active", {"fault": "errors"}) == 1
        assert faults(traffic.delete("/faults/errors"))["errors"] is False
        assert Shop.faults.state() == {"errors": False, "latency": False}
        assert registry.get_sample_value("demo_fault_active", {"fault": "errors"}) == 0


def test_an_unknown_fault_is_refused_with_those_there_are(traffic: httpx.Client) -> None:
    with traffic:
        answer = traffic.post("/faults/nonsense")
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("no fault is called 'nonsense'; faults: payments-down, ")
        assert traffic.post("/elsewhere").status_code == 404


def test_a_fault_is_switched_from_inside_of_the_container(
    traffic: httpx.Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fault, "URL", f"{traffic.base_url}/faults".replace("//faults", "/faults"))

    def switch(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["fault", *words])
        return fault.main()

    with traffic:
        assert switch("errors") == 0
        assert Shop.faults.state()["errors"]
        assert switch("errors", "off") == 0
        assert not Shop.faults.state()["errors"]
        assert switch() == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1]) == traffic.get("/faults").json()
        assert (switch("nonsense"), switch("errors", "maybe")) == (1, 1)
        assert "no fault is called 'nonsense'" in capsys.readouterr().err


def test_the_payment_provider_is_up_until_it_is_told_to_be_down(traffic: httpx.Client) -> None:
    with traffic:
        assert traffic.post("/charges", json={"cents": 1}).status_code in (201, 402)
        traffic.post("/faults/payments-down")
        assert traffic.post("/charges", json={"cents": 1}).status_code == 503


def test_a_program_that_was_restarted_breaks_down_again(registry: CollectorRegistry, played: str) -> None:
    switch = Switch(registry, {"shop": played})
    switch.want("latency")  # before anybody knows of it, as an option of the start
    assert "latency" in switch
    switch.tell()
    assert Shop.faults.state()["latency"]
    Shop.faults.replace([])
    switch.tell()
    assert Shop.faults.state()["latency"]
    with pytest.raises(UnknownFault):
        switch.turn("nonsense", on=True)
