"""One stack of the end-to-end tests: its file, its secrets, its deployments, and how its programs are asked."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import Any

import httpx
from docker.models.containers import Container

from components.yaml_text import dump, load
from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.patient import Patient
from tests.e2e.project import Outcome, Project, Run
from tests.e2e.traces import export
from tests.support import changed

_OF_THIS_MACHINE = (
    "HighCPUUsage",
    "HostMemoryLow",
    "HostOutOfMemoryKills",
    "DiskSpaceLow",
    "DiskSpaceCritical",
    "DiskWillFillUp",
    "DiskInodesLow",
    "HostFileDescriptorsLow",
    "HostClockSkew",
    "HostClockNotSynchronised",
)
"""Alerts that are off: whether they fire depends on the machine, and then they would be among those of a test."""
_PROTECTED = ("prometheus", "alertmanager", "thanos", "victoria")
_PUBLISHED = ("prometheus", "alertmanager", "jaeger", "otlp_grpc", "otlp_http")
TIMINGS: list[str] = []
"""What is printed at the end: how long what users wait for has taken."""


class Stack:
    """A stack by its environment's name.

    `dirty` says that it may not run what its base configuration asks for; `broken` that more may be wrong, as after a
    test that failed.
    """

    def __init__(self, project: Project, engine: Engine, environment: str, **changes: Any) -> None:
        self.project, self.engine, self.environment = project, engine, environment
        self.ports = dict(zip(_PUBLISHED, free_ports(len(_PUBLISHED)), strict=True))
        self.base = changed(
            {
                "environment": environment,
                "ports": {**self.ports, "grafana": None},
                "scrape": {"interval": "2s", "timeout": "2s", "evaluation_interval": "1s"},
                "probes": [{"name": "prometheus-ready", "target": "http://prometheus:9090/-/ready"}],
                "alerting": {"group_wait": "1s", "group_interval": "1s"},
                "exporters": {"cadvisor": False},
                "alerts": dict.fromkeys(_OF_THIS_MACHINE, False),
            },
            **changes,
        )
        self.file = project.folder / "stacks" / f"Pulumi.{environment}.yaml"
        self.dirty, self.broken = True, False
        self.credentials: tuple[str, str] | None = None
        self.authority: Any = True
        self.begin()

    def begin(self) -> None:
        """With nothing but a stack file; what an attempt before left goes, even a state that Pulumi cannot read."""
        self.engine.remove(self.environment)
        for file in [*(self.project.state / ".pulumi").rglob("*.*")]:
            if file.suffix == ".attrs" or self.environment in (file.parent.name, file.name.split(".")[0]):
                file.unlink()
        outcome = self.pulumi("stack", "init", "--no-select")
        assert outcome.code == 0, outcome

    # What the stack file says

    def configure(self, **changes: Any) -> None:
        """The base configuration with changes (`a__b=1` sets `b` in `a`); secrets stay."""
        document = load(self.file.read_text())
        wanted = changed(self.base, **changes)
        config = document.setdefault("config", {})
        self.dirty = self.dirty or config.get("observatory:stack") != wanted
        config["observatory:stack"] = wanted
        self.file.write_text(dump(document))

    def wanted(self) -> dict[str, Any]:
        """What the stack file asks for now."""
        found: dict[str, Any] = load(self.file.read_text())["config"]["observatory:stack"]
        return found

    def set_secret(self, name: str, value: str) -> None:
        """Encrypt a secret into the stack file; it goes through standard input, for arguments are public."""
        outcome = self.pulumi("config", "set", "--secret", f"observatory:{name}", stdin=value)
        assert outcome.code == 0, outcome
        self.dirty = True

    # Pulumi

    def start(self, *arguments: str, stdin: str = "") -> Run:
        """Start a Pulumi command for this stack."""
        return self.project.start(
            "pulumi", *arguments, "--stack", self.environment, "--non-interactive", "--color=never", stdin=stdin
        )

    def pulumi(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run a Pulumi command for this stack."""
        return self.start(*arguments, stdin=stdin).wait()

    def starting_up(self, *arguments: str) -> Run:
        """An `up` that goes on."""
        self.dirty = True
        return self.start("up", "--yes", "--skip-preview", *arguments)

    def up(self, *arguments: str, what: str = "") -> Outcome:
        """A deployment that has to succeed; `what` names it in the table at the end."""
        outcome = self.starting_up(*arguments).wait()
        assert outcome.code == 0, outcome
        self.dirty = False
        if what:
            TIMINGS.append(f"{outcome.seconds:6.1f} s  {what}")
        return outcome

    def failing_up(self, *arguments: str) -> Outcome:
        """A deployment that has to fail, with a message for people: no frames of our own code."""
        outcome = self.starting_up(*arguments).wait()
        assert outcome.code != 0, outcome
        assert "Traceback" not in outcome.output, outcome
        assert 'File "' not in outcome.output, outcome
        return outcome

    def restore(self) -> None:
        """Run the base configuration, whatever a test before left."""
        self.configure()
        if self.broken or (self.dirty and self.starting_up().wait().code != 0):
            self.begin()
            self.up()
        self.dirty = self.broken = False

    def recover(self) -> Outcome:
        """What a user runs after all processes of an `up` died."""
        outcome = self.project.run("./observatory", "recover", self.environment, "--yes")
        assert outcome.code == 0, outcome
        return outcome

    def no_changes(self, *arguments: str) -> Outcome:
        """A preview that has to be empty."""
        outcome = self.pulumi("preview", "--expect-no-changes", "--diff", *arguments)
        assert outcome.code == 0, outcome
        return outcome

    def exported(self) -> str:
        """The state, secrets encrypted."""
        return self.pulumi("stack", "export").output

    # The running programs

    def container(self, service: str) -> Container:
        """The container of a service; NotFound where there is none."""
        return self.engine.container(f"observatory-{self.environment}-{service}")

    def starts(self) -> dict[str, tuple[str, str]]:
        """Id and start of each container: equal ones show that nothing was restarted."""
        return {
            name: (str(container.id), container.attrs["State"]["StartedAt"])
            for name, container in self.engine.containers(self.environment).items()
        }

    def health(self) -> dict[str, str]:
        """The engine's own finding for each container."""
        return {
            name: container.attrs["State"].get("Health", {}).get("Status", container.status)
            for name, container in self.engine.containers(self.environment).items()
        }

    def await_health(self, seconds: float = 180) -> None:
        """Wait until the engine finds each container healthy."""
        until(lambda: set(self.health().values()) == {"healthy"}, lambda: f"healthy: {self.health()}", seconds)

    def await_answers(self, seconds: float = 180) -> None:
        """Wait until the published products answer; after a crash they take a moment."""
        paths = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "jaeger": "/api/services"}

        def all_answer() -> bool:
            try:
                return all(bool(self.text(product, path)) for product, path in paths.items())
            except (httpx.TransportError, AssertionError):
                return False

        until(all_answer, "every product answers", seconds)

    def http(self, product: str, patience: float = 60) -> httpx.Client:
        """A client of a published product; access settings of the stack are used.

        A program that is starting is asked again for `patience` seconds: `up` waits for those only that it makes anew.
        """
        scheme = "https" if self.credentials and product in _PROTECTED else "http"
        return httpx.Client(
            base_url=f"{scheme}://localhost:{self.ports[product]}",
            auth=self.credentials if scheme == "https" else None,
            transport=Patient(patience, self.authority),
            trust_env=False,
            follow_redirects=True,
            timeout=60,
        )

    def text(self, product: str, path: str, patience: float = 60, **parameters: Any) -> str:
        """What a product answers with."""
        with self.http(product, patience) as client:
            answer = client.get(path, params=parameters)
            assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
            return answer.text

    def get(self, product: str, path: str, **parameters: Any) -> Any:
        """The data of a JSON answer."""
        return json.loads(self.text(product, path, **parameters))

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The series that Prometheus answers a query with; `at` is a time in the past."""
        parameters = {"query": expression} if at is None else {"query": expression, "time": f"{at:.3f}"}
        found: list[dict[str, Any]] = self.get("prometheus", "/api/v1/query", **parameters)["data"]["result"]
        return found

    def active_alerts(self) -> set[str]:
        """Names of all alerts that Alertmanager has."""
        return {alert["labels"]["alertname"] for alert in self.get("alertmanager", "/api/v2/alerts")}

    def running_config(self) -> dict[str, Any]:
        """What Prometheus runs with."""
        loaded = load(self.get("prometheus", "/api/v1/status/config")["data"]["yaml"])
        assert isinstance(loaded, dict)
        return loaded

    def targets_up(self, *pools: str, seconds: float = 180) -> list[str]:
        """Wait until every target is up and `pools` are among them; the names of all scrape pools."""
        active: list[dict[str, Any]] = []

        def all_up() -> bool:
            active[:] = self.get("prometheus", "/api/v1/targets", state="active")["data"]["activeTargets"]
            found = {target["scrapePool"] for target in active}
            return bool(found) and found >= {*pools} and all(target["health"] == "up" for target in active)

        def told() -> str:
            return f"every target up: {[(t['scrapePool'], t['health'], t['lastError']) for t in active]}"

        until(all_up, told, seconds)
        return sorted(target["scrapePool"] for target in active)

    def end_silences(self) -> None:
        """End every silence, which would be a finding of who looks for them."""
        with self.http("alertmanager") as client:
            for silence in self.get("alertmanager", "/api/v2/silences"):
                if silence["status"]["state"] != "expired":
                    answer = client.delete(f"/api/v2/silence/{silence['id']}")
                    assert answer.is_success, answer.text

    def remember_sample(self) -> float:
        """A time for which a sample is stored, once there is one."""
        until(lambda: self.query('up{job="prometheus"} == 1'), "a sample of Prometheus itself", 180)
        return time.time()

    def settled(self) -> float:
        """A time up to which all scrapes are stored: one that is under way is stored later, as of its begin.

        A target's scrapes come one after the other, so the one before has been stored once there is a later one. Of
        Prometheus itself there is at least one.
        """
        at = self.remember_sample()

        def all_later() -> bool:
            active = self.get("prometheus", "/api/v1/targets", state="active")["data"]["activeTargets"]
            # A second more, as a scrape's time is set right to be as far as the others are from the one before.
            return bool(active) and all(_moment(target["lastScrape"]).timestamp() > at + 1 for target in active)

        until(all_later, "the next scrape of each target", 180)
        return at

    def has_sample(self, at: float) -> bool:
        """Whether that sample is still there."""
        return bool(self.query('up{job="prometheus"}', at))

    def send_trace(self) -> str:
        """Send a trace of one span; its id."""
        trace, body = export()
        with self.http("otlp_http") as client:
            answer = client.post("/v1/traces", json=body)
        assert answer.is_success, answer.text
        return trace

    def has_trace(self, trace: str) -> bool:
        """Whether Jaeger finds a trace."""
        with self.http("jaeger") as client:
            return client.get(f"/api/traces/{trace}").is_success

    def exported_resources(self) -> list[dict[str, Any]]:
        """The resources of the state."""
        text = self.exported()
        found: list[dict[str, Any]] = json.loads(text)["deployment"]["resources"]
        return found


def started_at(container: Container) -> datetime:
    """When a container was started last."""
    container.reload()
    return _moment(container.attrs["State"]["StartedAt"])


def _moment(text: str) -> datetime:
    """A time as programs in Go write it, of which the last digits are too fine here."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", text))
