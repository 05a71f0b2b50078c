"""Small servers that speak like the running products, healthy until a test breaks one thing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from components.config.base import seconds
from components.spec import Plan
from components.yaml_text import load
from operations.checks.prometheus import planned_rules
from operations.consistency import dashboards, datasources, grafana_of, scrape_jobs
from operations.http import Endpoint

Answer = tuple[int, Any]
Route = Callable[[dict[str, str], Any], Answer]


@dataclass
class Fake:
    """One server: method and path to what answers; a path that ends in * is a beginning."""

    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the last request."""

    def answer(self, method: str, target: str, body: Any) -> Answer:
        """The answer to one request."""
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.seen.append(f"{method} {parts.path}")
        for (wanted, path), route in self.routes.items():
            if wanted == method and (
                path == parts.path or (path.endswith("*") and parts.path.startswith(path.removesuffix("*")))
            ):
                return route({**query, "": parts.path.rpartition("/")[2], "/": parts.path}, body)
        return 404, {"message": "not found"}

    def set(self, path: str, data: Any, status: int = 200, method: str = "GET") -> None:
        """Answer a path with this from now on."""
        self.routes[method, path] = lambda _query, _body: (status, data)


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            fake.headers = dict(self.headers)
            status, data = fake.answer(self.command, self.path, body)
            raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _serve  # noqa: N815 - the names that the server calls

        def log_message(self, *_arguments: Any) -> None:
            return

    return Handler


@contextmanager
def served(fakes: dict[str, Fake]) -> Iterator[dict[str, Endpoint]]:
    """Endpoints of the fakes, by name; each on a port of its own."""
    servers, endpoints = [], {}
    try:
        for name, fake in fakes.items():
            server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            servers.append(server)
            endpoints[name] = Endpoint(name, f"http://127.0.0.1:{server.server_port}", patience=60)
        yield endpoints
    finally:
        for endpoint in endpoints.values():
            endpoint.close()
        for server in servers:
            server.shutdown()
            server.server_close()


def success(data: Any) -> dict[str, Any]:
    """An answer of Prometheus' API."""
    return {"status": "success", "data": data}


def vector(*series: tuple[dict[str, str], str]) -> dict[str, Any]:
    """The result of an instant query."""
    return success(
        {"resultType": "vector", "result": [{"metric": metric, "value": [0, value]} for metric, value in series]}
    )


def target(job: str, health: str = "up", error: str = "") -> dict[str, Any]:
    """An active target."""
    return {"scrapePool": job, "health": health, "lastError": error, "scrapeUrl": f"http://{job}:1/metrics"}


def loaded_groups(plan: Plan) -> list[dict[str, Any]]:
    """The planned rules as Prometheus shows them once they are loaded and evaluated."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path, group, rule in planned_rules(plan):
        shown = {
            "name": rule.get("alert") or rule["record"],
            "query": " ".join(str(rule["expr"]).split()),
            "labels": rule.get("labels", {}),
            "health": "ok",
            "type": "alerting" if "alert" in rule else "recording",
        }
        if "alert" in rule:
            shown |= {"duration": seconds(rule.get("for", "0s")), "annotations": rule.get("annotations", {})}
        groups.setdefault((path, group), []).append(shown)
    return [
        {"name": group, "file": f"/etc/prometheus/current/{path}", "rules": rules}
        for (path, group), rules in groups.items()
    ]


def prometheus(plan: Plan) -> Fake:
    """A healthy Prometheus of that plan."""
    service = plan.service("prometheus")
    assert service is not None
    fake = Fake()
    fake.set("/-/ready", "Prometheus Server is Ready.\n")
    fake.set("/api/v1/targets", success({"activeTargets": [target(job["job_name"]) for job in scrape_jobs(plan)]}))
    fake.set("/api/v1/rules", success({"groups": loaded_groups(plan)}))
    fake.routes["GET", "/api/v1/query"] = lambda query, _body: (
        (200, vector(({}, "8"))) if query["query"] == "count(up)" else (200, vector())
    )
    fake.routes["GET", "/api/v1/format_query"] = lambda query, _body: (200, success("".join(query["query"].split())))
    managers = [{"url": "http://alertmanager:9093/api/v2/alerts"}]
    fake.set("/api/v1/alertmanagers", success({"activeAlertmanagers": managers, "droppedAlertmanagers": []}))
    text = next(file.content for file in service.files if file.path == "prometheus.yml")
    fake.set("/api/v1/status/config", success({"yaml": text}))
    fake.set("/api/v1/status/runtimeinfo", success({"reloadConfigSuccess": True}))
    return fake


class Alertmanager(Fake):
    """A healthy Alertmanager of a plan: it delivers what it is sent, at once."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        service = plan.service("alertmanager")
        assert service is not None
        self.alerts: dict[str, dict[str, Any]] = {}
        self.sent = self.failed = 0
        self.delivers, self.delivers_end = True, True
        self.receiver, self.state = "verification", "active"
        watchdog = {"alertname": "Watchdog", "environment": plan.environment}
        self.watchdog: list[dict[str, Any]] = [self._shown(watchdog, "nobody", "active")]
        original = next(file.content for file in service.files if file.path == "alertmanager.yml")
        self.set("/-/ready", "OK")
        self.set("/api/v2/status", {"config": {"original": original}, "cluster": {"status": "disabled"}})
        self.routes["GET", "/api/v2/alerts"] = self._list
        self.routes["POST", "/api/v2/alerts"] = self._take
        self.routes["GET", "/metrics"] = lambda _query, _body: (200, self.metrics())

    @staticmethod
    def _shown(labels: dict[str, str], receiver: str, state: str) -> dict[str, Any]:
        return {"labels": labels, "receivers": [{"name": receiver}], "status": {"state": state}}

    def metrics(self) -> str:
        """The counters of notifications, as Alertmanager writes them."""
        labels = 'integration="webhook",receiver_name="verification"'
        failed = 'integration="webhook",reason="serverError",receiver_name="verification"'
        return (
            "# TYPE alertmanager_notifications_total counter\n"
            'alertmanager_notifications_total{integration="slack",receiver_name="team-chat"} 7\n'
            f"alertmanager_notifications_total{{{labels}}} {self.sent}\n"
            f"alertmanager_notifications_failed_total{{{failed}}} {self.failed}\n"
        )

    def _list(self, query: dict[str, str], _body: Any) -> Answer:
        if "Watchdog" in query["filter"]:
            return 200, self.watchdog
        return 200, [
            self._shown(alert["labels"], self.receiver, self.state)
            for alert in self.alerts.values()
            if alert["labels"]["verification"] in query["filter"]
        ]

    def _take(self, _query: dict[str, str], body: Any) -> Answer:
        for alert in body:
            identity = alert["labels"]["verification"]
            ended = identity in self.alerts
            self.alerts[identity] = alert
            if (self.delivers and not ended) or (self.delivers_end and ended):
                self.sent += 1
        return 200, ""


def jaeger_and_otlp() -> tuple[Fake, Fake]:
    """A Jaeger that keeps what it is sent: its query side and its OTLP side."""
    traces: dict[str, Any] = {}
    query, otlp = Fake(), Fake()

    def take(_query: dict[str, str], body: Any) -> Answer:
        traces[body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]] = body
        return 200, {"partialSuccess": {}}

    def find(asked: dict[str, str], _body: Any) -> Answer:
        trace = traces.get(asked[""])
        return (200, {"result": trace}) if trace else (404, {"error": {"message": "trace not found"}})

    query.set("/api/services", {"data": []})
    query.routes["GET", "/api/v3/traces/*"] = find
    otlp.routes["POST", "/v1/traces"] = take
    return query, otlp


def grafana(plan: Plan) -> Fake:
    """A healthy Grafana of that plan."""
    service = grafana_of(plan)
    assert service is not None
    fake = Fake()
    fake.set("/api/health", {"database": "ok"})
    for source in datasources(service):
        place = f"/api/datasources/uid/{source['uid']}"
        fake.set(place, {"type": source["type"], "url": source["url"]})
        fake.set(f"{place}/health", {"status": "OK", "message": "fine"})
        fake.set(f"/api/datasources/proxy/uid/{source['uid']}/api/v2/status", {})
    for path, text in dashboards(service).items():
        board = json.loads(text)
        answer = {"meta": {"folderTitle": path.split("/")[1]}, "dashboard": {**board, "id": 7, "version": 3}}
        fake.set(f"/api/dashboards/uid/{board['uid']}", answer)
    return fake


def changed_configuration(text: str, change: Callable[[Any], None]) -> str:
    """A configuration with one thing changed."""
    import yaml

    data = load(text)
    change(data)
    return str(yaml.safe_dump(data))
