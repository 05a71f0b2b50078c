"""A real Prometheus with a stack's planned scrape jobs and rules, on the test's control plane."""

from __future__ import annotations

import copy
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from components.platforms.kubernetes_objects import Stack
from components.yaml_text import dump, load
from tests.e2e.engine import free_ports, until
from tests.e2e.kubernetes.cluster import Cluster
from tests.e2e.processes import end
from tests.support import content, service

_NO_ADDRESSES: Mapping[str, str] = {}


@contextmanager
def real_prometheus(
    cluster: Cluster,
    stack: Stack,
    folder: Path,
    config: dict[str, Any] | None = None,
    addresses: Mapping[str, str] = _NO_ADDRESSES,
) -> Iterator[httpx.Client]:
    """Running while this lasts, let in by the token that its pod would have, and nothing else.

    `config` is another configuration than the planned one, of which the scrape jobs are taken, without rules.
    `addresses` says where to ask what the plan calls by its network name, as no names are resolved here.
    """
    (folder / "token").write_text(cluster.account_token(stack.namespace, "prometheus"))
    taken = ["global", "scrape_configs"] + (["rule_files"] if config is None else [])
    config = copy.deepcopy(config) or load(content(service(stack.plan, "prometheus"), "prometheus.yml"))
    way_in = {
        "api_server": cluster.address,
        "authorization": {"credentials_file": str(folder / "token")},
        "tls_config": {"insecure_skip_verify": True},
    }
    for job in config["scrape_configs"]:
        if "kubernetes_sd_configs" in job:
            job["kubernetes_sd_configs"] = [{**found, **way_in} for found in job["kubernetes_sd_configs"]]
    text = dump({key: config[key] for key in taken})
    files = {"/var/run/secrets/kubernetes.io/serviceaccount": folder, "/etc/prometheus/current": folder}
    for inside, outside in (*files.items(), *addresses.items()):
        text = text.replace(inside, str(outside))
    (folder / "prometheus.yml").write_text(text)
    for file in service(stack.plan, "prometheus").files:
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        if file.path.startswith(("secrets/", "targets/")):
            (folder / file.path).write_text("none")
        elif file.path.startswith("rules/"):
            (folder / file.path).write_text(file.content)
    (folder / "ca.crt").write_bytes(cluster.authority.read_bytes())
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "ca.crt").write_bytes(cluster.authority.read_bytes())
    program = shutil.which("prometheus")
    assert program, "prometheus is not here; `python3 -m toolchain ready --for e2e` gets it"
    (port,) = free_ports(1)
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *arguments, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            until(lambda: _answers(client, process, folder / "log"), "Prometheus answers", 120)
            yield client
    finally:
        end(process)


def _answers(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-3000:]
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def targets(client: httpx.Client) -> dict[str, list[dict[str, Any]]]:
    """What was found, by scrape job: labels, the address that is asked, whether it answered."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in client.get("/api/v1/targets", params={"state": "active"}).json()["data"]["activeTargets"]:
        more = {"url": each["scrapeUrl"], "health": each["health"]}
        found.setdefault(each["scrapePool"], []).append({**each["labels"], **more})
    return found


def asked(client: httpx.Client, query: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The answer to a query: the values of some labels to the value."""
    answer = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    return {
        tuple(each["metric"].get(label, "") for label in labels): float(each["value"][1])
        for each in answer["data"]["result"]
    }
