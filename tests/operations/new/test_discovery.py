"""What discovery makes of containers and of a cluster's objects, asked over real connections where it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from components.catalogue import required_series
from components.config.load import parse_stack
from operations.new.found import Found, merged, named, read
from operations.new.on_docker import known_image, look_at
from operations.new.on_kubernetes import proposals

HTTP = "\n".join(f'{name}{{route="/"}} 1' for name in sorted(required_series("http")))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is late on a busy machine is none that is missing."""
    monkeypatch.setattr("operations.new.found.PATIENCE", 60.0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A program that answers with the metrics of HTTP services, and elsewhere with a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            metrics = self.path == "/metrics"
            body = (f"# TYPE http_requests_total counter\n{HTTP}\n" if metrics else "<html>hello</html>").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4" if metrics else "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def container(published: int, networks: tuple[str, ...] = ("shop_default",), **labels: Any) -> dict[str, Any]:
    """A container as the engine describes it, whose port 8080 is published at `published`."""
    return {
        "Name": "/shop-checkout-1",
        "Config": {"Image": "example.com/checkout:1", "Labels": labels, "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}},
        "NetworkSettings": {
            "Ports": {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(published)}]},
            "Networks": {name: {"IPAddress": ""} for name in networks},
        },
    }


COMPOSE: dict[str, Any] = {"com.docker.compose.project": "shop", "com.docker.compose.service": "checkout"}


def test_a_container_that_answers_is_proposed_by_name_on_its_network(port: int) -> None:
    found = look_at(container(port, **COMPOSE), "web")
    assert found.service == {
        "name": "checkout",
        "team": "web",
        "discovery": {"static": {"targets": ["shop-checkout-1:8080"]}},
        "exposes": ["http"],
    }
    assert found.networks == ("shop_default",)
    assert f"answers at 8080/metrics with {len(required_series('http'))} series" in found.why
    parse_stack({"environment": "test", "services": [found.service]}, "found")


def test_a_page_is_no_metrics(port: int) -> None:
    found = look_at(container(port, **dict[str, Any]({"prometheus.io/path": "/"})), "web")
    assert (found.service, found.why) == (None, "no metrics at / (ports: 8080)")


def test_a_label_speaks_for_what_cannot_be_asked_from_here() -> None:
    silent: dict[str, Any] = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9",
        "prometheus.io/path": "/stats",
        "team": "pay",
    }
    found = look_at(container(9, **silent), "web")
    assert found.service
    assert found.service["discovery"] == {"static": {"targets": ["shop-checkout-1:9"]}}
    assert (found.service["path"], found.service["team"]) == ("/stats", "pay")
    assert "did not answer from here" in found.why


def test_a_container_that_does_not_want_to_be_scraped_is_left_alone(port: int) -> None:
    found = look_at(container(port, **dict[str, Any]({"prometheus.io/scrape": "false"})), "web")
    assert (found.service, "is false" in found.why) == (None, True)


def test_without_a_network_of_its_own_the_published_port_is_the_way(port: int) -> None:
    found = look_at(container(port, networks=("bridge",)), "web")
    assert found.service
    assert found.service["discovery"]["static"]["targets"] == [f"host.docker.internal:{port}"]
    assert found.networks == ()


def test_on_loopback_alone_there_is_no_way(port: int) -> None:
    closed = container(port, networks=("bridge",))
    closed["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostIp"] = "127.0.0.1"
    found = look_at(closed, "web")
    assert (found.service, "connect it to one of yours" in found.why) == (None, True)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("postgres:17", "postgres_exporter"),
        ("docker.io/library/redis@sha256:00", "redis_exporter"),
        ("registry.example.com:5000/bitnami/postgresql:17", "postgres_exporter"),
        ("example.com/postgres-backup:1", ""),
    ],
)
def test_programs_without_metrics_are_known_by_their_image(image: str, words: str) -> None:
    assert words in known_image(image)
    assert bool(known_image(image)) == bool(words)


def test_instances_become_one_service() -> None:
    def one(target: str, network: str) -> Found:
        service = {"name": "shop", "team": "web", "discovery": {"static": {"targets": [target]}}}
        return Found(target, "answers", service, (network,))

    [found] = merged([one("a:1", "x"), one("b:1", "y"), one("a:1", "x")])
    assert found.service
    assert found.service["discovery"]["static"]["targets"] == ["a:1", "b:1"]
    assert found.networks == ("x", "y")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Shop_Checkout.1", "shop-checkout-1"),
        ("1st", "service-1st"),
        ("node-exporter", "own-node-exporter"),
        ("probe-x", "own-probe-x"),
    ],
)
def test_every_name_becomes_one_that_a_service_can_have(text: str, name: str) -> None:
    assert named(text) == name
    service = {"name": name, "team": "web", "discovery": {"static": {"targets": ["a:1"]}}}
    parse_stack({"environment": "test", "services": [service]}, "found")


@pytest.mark.parametrize(
    "text", ["", "<html>x 1</html>", '{"a": 1}', "a b c", "# HELP nothing else", "up 1\nand then prose"]
)
def test_what_is_no_exposition_is_none(text: str) -> None:
    assert read(text) is None


def test_an_exposition_is_read_with_its_labels_and_values() -> None:
    found = read('# TYPE a counter\na_total{x="}",y="2"} 1e+06 1700000000\nb NaN\nb_bucket{le="+Inf"} +Inf\n')
    assert found
    assert (set(found.names), found.series, len(found.subjects)) == ({"a_total", "b", "b_bucket"}, 3, 0)


def thing(kind: str, name: str, spec: dict[str, Any], **labels: str) -> dict[str, Any]:
    annotations = {"prometheus.io/scrape": "true"}
    metadata = {"name": name, "namespace": "shop", "labels": labels, "annotations": annotations}
    return {"kind": kind, "metadata": metadata, "spec": spec}


NAME = "app.kubernetes.io/name"
POD = {"containers": [{"ports": [{"containerPort": 8080}]}]}


def test_annotated_objects_of_a_cluster_become_services() -> None:
    things = [
        thing(
            "Service",
            "checkout",
            {"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": "checkout"}},
            **{NAME: "checkout"},
        ),
        thing("Pod", "checkout-1", POD, app="checkout"),
        thing("Pod", "batch-1", POD, app="batch", pod_template_hash="1"),
        thing("Pod", "batch-2", POD, app="batch", pod_template_hash="2"),
        thing("Pod", "nobody", POD),
        thing("Service", "many", {"ports": [{"port": 1}, {"port": 2}]}, app="many"),
        {**thing("Service", "quiet", {"ports": [{"port": 1}]}), "metadata": {"name": "quiet", "namespace": "shop"}},
    ]
    found = {each.origin: each for each in proposals(things, "web")}
    assert found.keys() == {"Service shop/checkout", "Pod shop/batch-1", "Pod shop/nobody", "Service shop/many"}
    services = [each.service for each in found.values() if each.service]
    assert services == [
        {
            "name": "checkout",
            "team": "web",
            "port": 8080,
            "discovery": {"kubernetes": {"namespaces": ["shop"], "labels": {NAME: "checkout"}}},
        },
        {
            "name": "batch",
            "team": "web",
            "port": 8080,
            "discovery": {"kubernetes": {"namespaces": ["shop"], "labels": {"app": "batch"}, "role": "pod"}},
        },
    ]
    assert "which one" in found["Service shop/many"].why
    cluster = {"platform": "kubernetes", "kubernetes": {"context": "c"}}
    parse_stack({"environment": "test", **cluster, "services": services}, "found")
