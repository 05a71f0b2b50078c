"""Queries over 30 days in a bucket, cold and warm, beside a Prometheus that has the same blocks on its own disk.

Store gateway, querier and query frontend run with the arguments and files of a planned stack, as programs of this
machine, against a real S3 server (SeaweedFS). Cold is the first query after a start with an empty folder.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from benchmarks.results import Result
from benchmarks.stack import free_ports
from benchmarks.workspace import CommandFailed, run
from components.config import parse_stack
from components.images import load_catalogue
from components.plan import plan_stack
from components.services.prometheus import DATA
from components.services.thanos_files import endpoints_file
from components.spec import Service
from toolchain import seaweedfs

DAYS, STEP, SERIES = 30, 60, 50
"""Of history: days, seconds between two samples, series. 2.2 million samples, in blocks of two hours."""
QUERY = "sum(rate(bench_requests_total[1h]))"
T = TypeVar("T")
_DAY, _HOUR = 86400, 3600
KEYS = {"benchAccessKey": "bench-access-key", "benchSecretKey": "bench-secret-key"}
"""Made up, of a server that is gone afterwards."""
_STORE, _QUERIER, _FRONTEND = "thanos-store", "thanos-query", "thanos-query-frontend"


def over_a_month(repeat: int) -> list[Result]:
    """Seconds for one graph of 30 days, a point for each hour: from the bucket, and remembered."""
    with tempfile.TemporaryDirectory(prefix="observatory-bench-") as name, ExitStack() as held:
        folder = Path(name)
        end = int(time.time()) // (2 * _HOUR) * 2 * _HOUR - 4 * _HOUR
        blocks = _blocks(folder, end)
        endpoint = held.enter_context(s3_server(folder / "s3"))
        services = _planned(endpoint)
        _upload(folder, blocks, services[_STORE])
        ask = _asker(end)
        local = held.enter_context(_prometheus(folder / "prometheus", blocks))
        expected = ask(local)[1]
        plain = [ask(local)[0] for _ in range(repeat)]
        cold, warm, remembered = [], [], []
        for turn in range(repeat):
            with _thanos(folder / f"thanos-{turn}", services) as (querier, frontend):
                seconds, points = _until(lambda: _whole(ask, querier, expected), "the bucket is found")
                cold.append(seconds)
                assert points == expected
                warm.append(ask(querier)[0])
                ask(frontend)
                remembered.append(ask(frontend)[0])
    note = f"{SERIES} series, {DAYS * _DAY // STEP * SERIES / 1e6:.1f} million samples, {DAYS * 12} blocks"

    def line(what: str, ours: Sequence[float], note: str = "") -> Result:
        samples = {"ours": [*ours], "Prometheus' own disk": plain}
        other = statistics.median(plain)
        return Result(what, statistics.median(ours), "s", other, "Prometheus' own disk", note=note, samples=samples)

    return [
        line(f"graph of {DAYS} days from the bucket, cold", cold, note),
        line(f"graph of {DAYS} days from the bucket, warm", warm),
        line(f"graph of {DAYS} days, remembered", remembered, "by the query frontend"),
    ]


def _blocks(folder: Path, end: int) -> Path:
    """Thirty days of counters that count one request a second.

    Day by day: promtool reads all of its input anew for each block that it makes.
    """
    source, made = folder / "metrics.txt", folder / "blocks"
    start = end - DAYS * _DAY
    for day in range(start, end, _DAY):
        with source.open("w") as file:
            file.write("# TYPE bench_requests counter\n")
            for series in range(SERIES):
                name = f'bench_requests_total{{path="/{series}"}}'
                file.writelines(f"{name} {at - start} {at}\n" for at in range(day, day + _DAY, STEP))
            file.write("# EOF\n")
        run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source), str(made)], folder)
    source.unlink()
    return made


@contextmanager
def s3_server(folder: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """The S3 server with the bucket `metrics`; its URL. `KEYS` open it."""
    names = ["s3.port.iceberg", "s3.port.lance"]
    names += [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    (folder / "data").mkdir(parents=True)
    access, secret = KEYS.values()
    identity = {
        "name": "bench",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [
        str(seaweedfs.program()),
        "server",
        "-s3",
        f"-dir={folder}/data",
        f"-ip={address}",
        f"-ip.bind={address}",
    ]
    command += [f"-{name}={port}" for name, port in ports.items()]
    command += [f"-s3.config={folder}/s3.json", "-volume.max=100", "-master.volumeSizeLimitMB=64"]
    command += ["-master.telemetry=false"]
    with _running(command, folder):
        filer = f"http://{address}:{ports['filer.port']}/buckets/metrics/"
        url = f"http://{address}:{ports['s3.port']}"
        _until(lambda: _answers(f"{url}/healthz"), "the S3 server answers")
        _until(lambda: httpx.post(filer, trust_env=False).is_success, "the S3 server makes a bucket")
        yield url


def in_bucket(endpoint: str) -> dict[str, Any]:
    """`storage` of a stack whose samples are on that server."""
    keys = {"access_key": {"secret": "benchAccessKey"}, "secret_key": {"secret": "benchSecretKey"}}
    bucket = {"name": "metrics", "region": "us-east-1", "endpoint": endpoint, "path_style": True, "encryption": "none"}
    return {"backend": "s3", "bucket": {**bucket, "credentials": keys}}


def _planned(endpoint: str) -> dict[str, Service]:
    config = parse_stack({"environment": "bench", "storage": in_bucket(endpoint)}, "stacks/Pulumi.bench.yaml")
    plan = plan_stack(config, load_catalogue(config.images))
    services = {service.name: service for service in plan.services}
    # No sidecar: all of it is in the bucket.
    querier, asked = services[_QUERIER], endpoints_file(None, [services[_STORE]])
    files = tuple(asked if file.path == asked.path else file for file in querier.files)
    return {**services, _QUERIER: replace(querier, files=files)}


def laid_out(service: Service, folder: Path, addresses: dict[str, str]) -> list[str]:
    """A program's arguments, with its files and data below a folder and every address one of this machine."""

    def here(text: str) -> str:
        for there, address in addresses.items():
            text = text.replace(there, address)
        for volume in service.volumes:
            text = text.replace(volume.path, f"{folder}/data")
        return text.replace(service.mounted_config, str(folder))

    for file in service.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(here(file.resolve(lambda _transform, secret: KEYS[secret])))
    return [here(argument) for argument in service.args]


def _upload(folder: Path, blocks: Path, store: Service) -> None:
    laid_out(store, folder / "upload", {})
    labels = ('--label=environment="bench"', '--label=replica="1"')
    config = f"--objstore.config-file={folder}/upload/bucket.yml"
    run(["thanos", "tools", "bucket", "upload-blocks", f"--path={blocks}", config, *labels], folder)


@contextmanager
def _thanos(folder: Path, services: dict[str, Service]) -> Iterator[tuple[str, str]]:
    """Store gateway, querier and query frontend; the addresses of the last two."""
    with ExitStack() as held:
        http: dict[str, str] = {}
        grpc = dict(zip((_STORE, _QUERIER), (f"127.0.0.1:{port}" for port in free_ports(2)), strict=True))
        for name in (_STORE, _QUERIER, _FRONTEND):
            http[name] = f"127.0.0.1:{free_ports(1)[0]}"
            own = {"0.0.0.0:10902": http[name], "0.0.0.0:10901": grpc.get(name, "")}
            others = {f"{each}:10901": address for each, address in grpc.items()}
            others |= {f"{each}:10902": address for each, address in http.items()}
            arguments = laid_out(services[name], folder / name, {**own, **others})
            held.enter_context(_running(["thanos", *arguments], folder / name))
        yield f"http://{http[_QUERIER]}", f"http://{http[_FRONTEND]}"


@contextmanager
def _prometheus(folder: Path, blocks: Path) -> Iterator[str]:
    folder.mkdir()
    (folder / "prometheus.yml").write_text("{}\n")
    address = f"127.0.0.1:{free_ports(1)[0]}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}{DATA}"]
    command += ["--storage.tsdb.retention.time=1y", f"--web.listen-address={address}"]
    command += [f"--storage.tsdb.{which}-block-duration=2h" for which in ("min", "max")]
    run(["cp", "-r", str(blocks), f"{folder}{DATA}"], folder)
    with _running(command, folder):
        _until(lambda: _answers(f"http://{address}/-/ready"), "Prometheus is ready")
        yield f"http://{address}"


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
        if process.poll() is not None:
            raise CommandFailed(f"`{command[0]}` ended by itself:\n{(folder / 'log').read_text()[-2000:]}")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


Answer = tuple[float, int]
"""Seconds, and points of the graph."""


def _asker(end: int) -> Callable[[str], Answer]:
    period: dict[str, str | int] = {
        "query": QUERY,
        "start": end - (DAYS * _DAY) + _HOUR,
        "end": end - STEP,
        "step": _HOUR,
    }

    def ask(url: str) -> Answer:
        begin = time.perf_counter()
        answer = httpx.get(f"{url}/api/v1/query_range", params=period, timeout=120, trust_env=False)
        seconds = time.perf_counter() - begin
        if not answer.is_success:
            raise CommandFailed(f"{url} answers {answer.status_code}: {answer.text[:500]}")
        if warnings := answer.json().get("warnings"):
            raise CommandFailed(f"{url} lacks something: {warnings}")
        return seconds, sum(len(series["values"]) for series in answer.json()["data"]["result"])

    return ask


def _whole(ask: Callable[[str], Answer], url: str, expected: int) -> Answer | None:
    """The first answer over all blocks; those before, over less, have cost nothing."""
    with suppress(httpx.TransportError, CommandFailed):
        found = ask(url)
        return found if found[1] == expected else None
    return None


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url, trust_env=False).is_success
    return False


def _until(question: Callable[[], T | None], what: str, seconds: float = 120) -> T:
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.2)
    return answer
