"""A real control plane on loopback for the time of the tests: etcd, API server, controllers, scheduler.

Its nodes are played by kwok: pods are admitted, scheduled, called ready and listed as endpoints, but nothing runs.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.e2e.engine import free_ports, until
from tests.e2e.processes import end

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl", "prometheus")
PORTS = ("etcd", "peer", "api", "controllers", "scheduler", "kwok", "operator")
ADVERTISED = "192.0.2.1"
"""Of a network that is for documentation: the API server's own endpoint may not be loopback."""
FIELD_MANAGER = "observatory"
_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "StorageClass": "storageclasses"}
_PLURALS |= {"Prometheus": "prometheuses", "BackendTLSPolicy": "backendtlspolicies"}
_PLURALS |= {"PriorityClass": "priorityclasses", "EndpointSlice": "endpointslices"}


class Refused(AssertionError):
    """The API server's own words."""


def url_of(kind: str, api: str, namespace: str = "", name: str = "") -> str:
    """The path of an object, or of all of a kind."""
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    parts = ["api" if "/" not in api else "apis", api, *(["namespaces", namespace] if namespace else []), plural, name]
    return "/" + "/".join(part for part in parts if part)


def path_of(manifest: Mapping[str, Any]) -> str:
    """The path of a manifest's object."""
    metadata = manifest["metadata"]
    return url_of(manifest["kind"], manifest["apiVersion"], metadata.get("namespace", ""), metadata["name"])


class Cluster:
    """The control plane, once it is started. `api` speaks to it as an administrator."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", advertised: str = ADVERTISED) -> None:
        self.folder = folder
        self.host, self.advertised = host, advertised
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.address = f"https://{host}:{self.ports['api']}"
        self._token = secrets.token_urlsafe(24)
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._write_identity()
        self.authority = folder / "certificates" / "apiserver.crt"
        self.kubeconfig = self._kubeconfig()
        headers = {"Authorization": f"Bearer {self._token}"}
        self.api = httpx.Client(base_url=self.address, headers=headers, verify=False, timeout=60)

    # Start and end

    def start(self) -> None:
        """The store and the API server, ready for use when this returns; what it has started ends by `stop`."""
        self._start_store_and_api()
        until(self._ready, "the API server is ready", 300)

    def _write_identity(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "account.key").write_bytes(private)
        (self.folder / "account.pub").write_bytes(public)
        (self.folder / "tokens.csv").write_text(f'{self._token},administrator,administrator,"system:masters"\n')
        (self.folder / "tokens.csv").chmod(0o600)
        self._write_client(key, private)

    def _write_client(self, key: rsa.RSAPrivateKey, private: bytes) -> None:
        """What the API server shows to kubelets: a certificate that is its own authority."""
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
                x509.NameAttribute(NameOID.COMMON_NAME, "api-server"),
            ]
        )
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        (self.folder / "client.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (self.folder / "client.key").write_bytes(private)

    def _start(self, name: str, *arguments: str, **variables: str) -> None:
        program = shutil.which(name)
        assert program, f"{name} is not here; `python3 -m toolchain ready --for e2e` gets it"
        with (self.folder / f"{name}.log").open("wb") as log:
            self._programs[name] = subprocess.Popen(
                [program, *arguments], stdout=log, stderr=log, cwd=self.folder, env=os.environ | variables
            )

    def _start_store_and_api(self) -> None:
        store, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peer"))
        self._start(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )
        self._start(
            "kube-apiserver",
            f"--etcd-servers={store}",
            f"--bind-address={self.host}",
            f"--secure-port={self.ports['api']}",
            f"--advertise-address={self.advertised}",
            f"--cert-dir={self.folder / 'certificates'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'account.pub'}",
            f"--service-account-signing-key-file={self.folder / 'account.key'}",
            "--anonymous-auth=false",
            "--profiling=false",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={self.folder / 'client.crt'}",
            f"--kubelet-client-key={self.folder / 'client.key'}",
        )

    def start_controllers(self) -> None:
        """Controllers and a scheduler."""
        shared = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1")
        self._start(
            "kube-controller-manager",
            *shared,
            f"--secure-port={self.ports['controllers']}",
            f"--service-account-private-key-file={self.folder / 'account.key'}",
            f"--root-ca-file={self.authority}",
            "--node-monitor-grace-period=1h",  # nobody sends the nodes' signs of life
        )
        self._start("kube-scheduler", *shared, f"--secure-port={self.ports['scheduler']}")

    def play_nodes(self, nodes: int = 2) -> None:
        """Controllers, a scheduler, and nodes that kwok plays."""
        self.start_controllers()
        self._start(
            "kwok",
            f"--config={Path(__file__).with_name('pods.yaml')}",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{self.ports['kwok']}",
        )
        for number in range(nodes):
            name = f"node-{number}"
            labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, "pool": "monitoring"}
            space = {"cpu": "64", "memory": "256Gi", "pods": "500"}
            self.create(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": name, "labels": labels},
                    "status": {
                        "capacity": space,
                        "allocatable": space,
                        "conditions": [{"type": "Ready", "status": "True"}],
                        "addresses": [{"type": "InternalIP", "address": f"192.0.2.{20 + number}"}],
                        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                    },
                }
            )

    def start_operator(self) -> None:
        """The Prometheus operator, as it would run in a pod."""
        listens = f"--web.listen-address=127.0.0.1:{self.ports['operator']}"
        self._start("prometheus-operator", listens, KUBECONFIG=str(self.kubeconfig))

    def _ready(self) -> bool:
        for name, program in self._programs.items():
            assert program.poll() is None, f"{name} ended:\n{self.log(name)}"
        with suppress(httpx.TransportError):
            return self.api.get("/readyz").status_code == 200
        return False

    def log(self, name: str) -> str:
        """The last lines of a program."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """End all, the store last."""
        self.api.close()
        for program in reversed(self._programs.values()):
            end(program, 15)

    # Access

    def _kubeconfig(self) -> Path:
        file = self.folder / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.address, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "administrator", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "administrator"}}],
            "current-context": "test",
        }
        file.write_text(json.dumps(content))
        file.chmod(0o600)
        return file

    def kubectl(self, *arguments: str, code: int = 0) -> str:
        """Run kubectl; fails with its words unless it ends with `code`."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == code, f"{' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def account_token(self, namespace: str, name: str) -> str:
        """A token of a ServiceAccount, as its pod would get it."""
        path = url_of("ServiceAccount", "v1", namespace, name) + "/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self._answer(self.api.post(path, json=request))["status"]["token"])

    def allowed(self, account: str, verb: str, resource: str, namespace: str = "", group: str = "") -> bool:
        """Whether RBAC lets a ServiceAccount (namespace:name) do something; what `kubectl auth can-i` asks."""
        resource, _, sub = resource.partition("/")
        attributes = {"verb": verb, "resource": resource, "subresource": sub, "namespace": namespace, "group": group}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": f"system:serviceaccount:{account}", "resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self._answer(self.api.post(path, json=review))["status"]["allowed"])

    # Objects

    def _answer(self, answer: httpx.Response) -> dict[str, Any]:
        found: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise Refused(f"{answer.status_code} {found.get('reason')}: {found.get('message')}")
        return found

    def apply(self, manifest: Mapping[str, Any], dry: bool = False) -> tuple[dict[str, Any], list[str]]:
        """Server-side, with strict checks of fields: the object as it is then, and the server's warnings."""
        parameters = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        content = json.dumps(manifest).encode()
        answer = self.api.patch(path_of(manifest), params=parameters, headers=headers, content=content)
        return self._answer(answer), answer.headers.get_list("Warning")

    def create(self, manifest: Mapping[str, Any], dry: bool = False) -> dict[str, Any]:
        """A new object."""
        path = url_of(manifest["kind"], manifest["apiVersion"], manifest["metadata"].get("namespace", ""))
        parameters = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        return self._answer(self.api.post(path, params=parameters, json=manifest))

    def get(self, kind: str, api: str, namespace: str = "", name: str = "") -> dict[str, Any]:
        """One object, or a list of all."""
        return self._answer(self.api.get(url_of(kind, api, namespace, name)))

    def have_kinds(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        """Kinds of others, ready for use when this returns."""
        for each in definitions:
            self.apply(each)
            spec = each["spec"]
            version = next(version["name"] for version in spec["versions"] if version["storage"])
            path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
            until(lambda path=path: self.api.get(path).status_code == 200, f"{path} is served", 240)  # type: ignore[misc]

    def have_namespace(self, name: str) -> None:
        """A namespace of the user, with the default account that controllers would make."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def has_account(self, namespace: str) -> bool:
        """Whether the controllers have made the account of a namespace's pods."""
        try:
            return bool(self.get("ServiceAccount", "v1", namespace, "default"))
        except Refused:
            return False
