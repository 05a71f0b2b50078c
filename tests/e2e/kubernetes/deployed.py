"""A stack on a real node, deployed by the commands that users run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from components.config import load_stack_file
from components.platforms.kubernetes_objects import Stack
from components.secrets import bcrypt_hash
from components.spec import File
from components.yaml_text import dump, load
from tests.e2e.kubernetes.cluster import Cluster
from tests.e2e.project import Outcome, Project
from tests.platforms.clusters import stack_on_cluster
from tests.support import ACCESS, changed
from toolchain import pins

NAME, REPLICAS = "on-a-node", 3
LOCAL = Path(__file__).resolve().parents[3] / ".observatory" / "images.yaml"
USERS = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "checkout-0", "namespace": "shop", "labels": {"app": "checkout"}},
    "spec": {
        "containers": [
            {"name": "main", "image": pins.images()["node-exporter"].tagged, "ports": [{"containerPort": 9100}]}
        ]
    },
}


def values_of(kubeconfig: Path) -> dict[str, Any]:
    local = load(LOCAL.read_text()) if LOCAL.exists() else {}
    return {
        "environment": NAME,
        "platform": "kubernetes",
        "kubernetes": {
            "context": "test",
            "kubeconfig": str(kubeconfig),
            "storage_class": "disk",
            "volumes": {"prometheus": "1GB", "jaeger": "1GB", "alertmanager": "1GB"},
        },
        "access": ACCESS,
        "retention": {"time": "1d", "size": "512MB"},
        "scrape": {"interval": "5s", "timeout": "4s"},
        "grafana": {"enabled": False},
        "images": {"overrides": {name: image for name, image in local.items() if image and name != "grafana-dump"}},
        "probes": [
            {"name": "traces", "target": "http://jaeger:16686/api/services"},
            {"name": "pinged", "target": "127.0.0.1", "module": "icmp"},
        ],
        "services": [
            {
                "name": "checkout",
                "team": "payments",
                "port": 9100,
                "discovery": {"kubernetes": {"namespaces": ["shop"], "role": "pod", "labels": {"app": "checkout"}}},
            }
        ],
    }


@dataclass
class Deployed:
    """A stack on the node, by the commands that users run."""

    project: Project
    cluster: Cluster
    values: dict[str, Any]
    secrets: dict[str, str] = field(init=False)
    stack: Stack = field(init=False)
    access: tuple[str, ...] = field(init=False)

    def write_certificates(self) -> None:
        """Make them and a password, in files."""
        folder = self.project.folder / "certificates"
        done = self.project.run("./observatory", "certs", NAME, "--out", str(folder))
        assert done.code == 0, done
        (folder / "password").write_text("of the node's tests")
        files = {"tlsCa": "ca.crt", "tlsCertificate": "tls.crt", "tlsKey": "tls.key", "accessPassword": "password"}
        self.secrets = {name: (folder / file).read_text() for name, file in files.items()}
        self.access = (f"--password-file={folder / 'password'}", f"--ca-file={folder / 'ca.crt'}")

    def apply(self, **changes: Any) -> list[dict[str, Any]]:
        """Render the objects, apply them; the objects."""
        file = self.project.folder / "stacks" / f"Pulumi.{NAME}.yaml"
        file.write_text(dump({"config": {"observatory:stack": changed(self.values, **changes)}}))
        if not hasattr(self, "secrets"):
            self.write_certificates()
        self.stack = stack_on_cluster(load_stack_file(str(file)))
        rendered = self.project.folder / "manifests"
        done = self.project.run("./observatory", "render", NAME, "--out", str(rendered), "--manifests", "--force")
        assert done.code == 0, done
        found = []
        for file in sorted(rendered.glob("*.yaml")):
            objects = [self._with_values(each) for each in yaml.safe_load_all(file.read_text())]
            file.write_text(yaml.safe_dump_all(objects))
            found += objects
        self.cluster.kubectl("apply", "--server-side", f"--filename={rendered}")
        return found

    def _with_values(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """With a value in place of each placeholder of a secret, as whoever renders puts them in."""

        def value(how: str, name: str) -> str:
            given = self.secrets[name]
            return bcrypt_hash(given, name) if how == "bcrypt" else given

        if manifest["kind"] == "Secret":
            texts = manifest["stringData"]
            manifest["stringData"] = {key: File(key, text).resolve(value) for key, text in texts.items()}
        return manifest

    def pod(self, service: str) -> dict[str, Any]:
        """The one pod of a service."""
        planned = self.stack.plan.service(service)
        assert planned, service
        namespace = self.stack.namespace_of(planned)
        (found,) = (
            each
            for each in self.cluster.get("Pod", "v1", namespace)["items"]
            if each["metadata"]["labels"]["app.kubernetes.io/name"] == service
            and "deletionTimestamp" not in each["metadata"]
        )
        return dict(found)

    def inside(self, service: str, *command: str, container: str = "", code: int = 0) -> str:
        """What a command says in a service's container, or in another one of its pod."""
        pod = self.pod(service)["metadata"]
        where = ("-n", pod["namespace"], pod["name"], f"--container={container or service}")
        return self.cluster.kubectl("exec", *where, "--", *command, code=code)

    def observatory(self, command: str, *arguments: str) -> Outcome:
        """Run a command of ours for the stack; errors have no frames of our code in them."""
        outcome = self.project.run("./observatory", command, NAME, *arguments)
        assert "Traceback" not in outcome.output, outcome
        return outcome

    def prometheus(self, path: str, query: str = "", at: float | None = None) -> Any:
        """What Prometheus answers at the address of its pod."""
        url = f"https://{self.pod('prometheus')['status']['podIP']}:9090{path}"
        asked = {"query": query, **({} if at is None else {"time": str(at)})}
        login = ("observatory", self.secrets["accessPassword"])
        # Where nobody is at the address any more it is told soon.
        with httpx.Client(verify=False, auth=login, timeout=httpx.Timeout(60, connect=10)) as client:
            answer = client.post(url, data=asked) if query else client.get(url)
        return answer.json()["data"]

    def ask(self, query: str, at: float | None = None) -> list[dict[str, Any]]:
        """The answer to a query; none while Prometheus is not there."""
        try:
            return list(self.prometheus("/api/v1/query", query, at)["result"])
        except (httpx.TransportError, KeyError, ValueError):
            return []


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
