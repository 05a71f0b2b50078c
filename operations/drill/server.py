"""The Prometheus of one drilled alert: a container of its own beside the stack, gone when the drill is."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount

from components.platforms.docker_engine import Engine
from components.services.prometheus import NAME, USER
from components.spec import Plan
from operations import programs
from operations.drill.rules import Drilled, configuration, rules_file
from operations.errors import CommandError

MARK = "observatory.alert-drill"
"""Label of a drill's containers; its value is the environment."""
MEMORY = "256m"
_FOLDER, _DATA = "/drill", "/drill/data"
_RULES = f"{_FOLDER}/rules.yaml"
_URL = "http://localhost:9090"


def remove_leftovers(engine: Engine, environment: str) -> int:
    """Remove what a killed drill left behind; how many there were."""
    leftovers = engine.client.containers.list(all=True, filters={"label": f"{MARK}={environment}"}, ignore_removed=True)
    for container in leftovers:
        with suppress(NotFound, APIError):
            container.remove(v=True, force=True)
    return len(leftovers)


@dataclass(frozen=True, slots=True)
class Server:
    """It runs, and evaluates the alert."""

    container: Container
    drilled: Drilled
    plan: Plan
    begun: float

    def state(self) -> str:
        """Of the alert: pending, firing, or empty."""
        query = f'ALERTS{{drill="{self.drilled.identity}", alertname="{self.drilled.alert}"}}'
        states = {each["metric"]["alertstate"] for each in self._query(query)}
        return "firing" if "firing" in states else next(iter(states), "")

    def _query(self, expression: str) -> list[dict[str, Any]]:
        answer = self.container.exec_run(
            ["promtool", "query", "--format=json", "instant", _URL, expression], demux=True
        )
        output, errors = cast("tuple[bytes | None, bytes | None]", answer.output)
        try:
            found: list[dict[str, Any]] = json.loads(output or b"[]") if answer.exit_code == 0 else []
        except ValueError:
            text = (errors or output or b"").decode(errors="replace")
            raise CommandError(f"the drill's Prometheus answers with something that is no JSON: {text[:200]}") from None
        return found

    def running(self) -> bool:
        """Whether it still does; else its last words are an error."""
        self.container.reload()
        if self.container.status == "running":
            return True
        words = self.container.logs(tail=5).decode(errors="replace").strip()
        raise CommandError(f"the drill's Prometheus ended: {words}")

    def end(self) -> None:
        """The condition is over: no feed, and no alert any more; Prometheus tells Alertmanager so."""
        text = rules_file(self.drilled, self.begun, self.begun - 1, self.plan)
        _put(self.container, [("rules.yaml", text.encode())])
        self.container.kill("SIGHUP")


@contextmanager
def started(engine: Engine, plan: Plan, drilled: Drilled, lifetime: float) -> Iterator[Server]:
    """The server of one alert while this lasts; its alert ends after so many seconds in any case."""
    service = plan.service(NAME)
    assert service is not None
    prefix = f"observatory-{plan.environment}"
    name = f"{prefix}-alert-drill"
    try:
        # The stack's own configuration, for the authority, the certificate and the password of its Alertmanager.
        mounts = [Mount(service.config_folder, f"{prefix}-{NAME}-config", read_only=True, type="volume")]
        container = engine.client.containers.create(
            service.image,
            [
                f"--config.file={_FOLDER}/prometheus.yml",
                f"--storage.tsdb.path={_DATA}",
                "--storage.tsdb.retention.time=50y",
                "--web.listen-address=127.0.0.1:9090",
                "--rules.alert.resend-delay=5s",
            ],
            name=name,
            labels={MARK: plan.environment, "observatory.environment": plan.environment},
            user=USER,
            mounts=mounts,
            network=prefix,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit=MEMORY,
        )
    except APIError as error:
        hint = "is the stack deployed? `pulumi up` deploys it"
        raise CommandError(f"a drill's Prometheus cannot be made: {error.explanation or error}", hint) from None
    try:
        begun = time.time()
        files = [
            ("prometheus.yml", configuration(plan, _RULES).encode()),
            ("rules.yaml", rules_file(drilled, begun, begun + lifetime, plan).encode()),
            *_history(drilled, begun),
        ]
        _put(container, files)
        try:
            container.start()
        except APIError as error:
            raise CommandError(f"a drill's Prometheus cannot start: {error.explanation or error}") from None
        yield Server(container, drilled, plan, begun)
    finally:
        with suppress(NotFound, APIError):
            container.remove(v=True, force=True)


def _history(drilled: Drilled, now: float) -> Iterator[tuple[str, bytes]]:
    """The blocks of the samples up to now, as promtool makes them."""
    text = drilled.feed.history(now)
    if not text:
        return
    promtool = programs.find("promtool")
    if promtool is None:
        raise CommandError("promtool is not on this machine", "`make ready` gets it")
    with tempfile.TemporaryDirectory(prefix="observatory-drill-") as folder:
        (Path(folder) / "history").write_text(text, encoding="utf-8")
        made = programs.run(promtool, ["tsdb", "create-blocks-from", "openmetrics", "history", "data"], Path(folder))
        if made.code:
            raise CommandError(f"the history of {drilled.alert} cannot be made: {made.text.strip()[-300:]}")
        for file in sorted(Path(folder, "data").rglob("*")):
            if file.is_file():
                yield str(file.relative_to(folder)), file.read_bytes()


def _put(container: Container, files: list[tuple[str, bytes]]) -> None:
    """Write files below the drill's folder; they and their folders belong to Prometheus' user."""
    uid, gid = (int(part) for part in USER.split(":"))
    folders = sorted({str(parent) for path, _ in files for parent in Path("drill", path).parents if str(parent) != "."})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in [*folders, *(["drill/data"] if "drill/data" not in folders else [])]:
            archive.addfile(_entry(folder, uid, gid, 0o755, tarfile.DIRTYPE))
        for path, content in files:
            entry = _entry(f"drill/{path}", uid, gid, 0o644, tarfile.REGTYPE)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    container.put_archive("/", buffer.getvalue())


def _entry(path: str, uid: int, gid: int, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.uid, entry.gid, entry.mode, entry.mtime = kind, uid, gid, mode, int(time.time())
    return entry
