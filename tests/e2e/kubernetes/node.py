"""A real node: a machine within this one, of namespaces of its own, in which a kubelet runs pods by containerd.

It has its own network, mounts and processes, so that nothing of it is left once its first process ends.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.yaml_text import load
from tests.e2e.engine import Engine, free_subnet, until
from tests.e2e.kubernetes.cluster import Cluster
from tests.e2e.kubernetes.node_images import PAUSE, hand_over

SOCKET = Path("containerd/containerd.sock")
CGROUPS = Path("/sys/fs/cgroup")
DNS = "10.96.0.10"


class Machine:
    """Namespaces with one process, and a cable to this machine: `gateway` is our end of it, `address` the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ends = ipaddress.ip_network(free_subnet()).hosts()
        self.gateway, self.address = str(next(ends)), str(next(ends))
        self.pods = free_subnet()
        self.name = f"node{os.getpid()}"
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        for part in ("var/log", "var/lib", "run", "settings"):
            (folder / part).mkdir(parents=True)
        (folder / "var" / "run").symlink_to("/run")
        script = Path(__file__).with_name("node.sh")
        spaces = ("--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
        # Both end with us, however we end.
        command = ["setpriv", "--pdeathsig=KILL", "unshare", *spaces, "sh", str(script), str(folder)]
        self._first = self._popen("machine", command)
        try:
            until(lambda: self._alive() and "ready" in self.log("machine"), "the machine is up", 240)
            self._inner = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children").read_text().split()[0]
            self._connect()
        except BaseException:
            self.stop()
            raise

    def _popen(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self, name: str) -> str:
        """The last lines of a program."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def _alive(self) -> bool:
        for name, program in {"machine": self._first, **self._programs}.items():
            assert program.poll() is None, f"{name} ended:\n{self.log(name)}"
        return True

    def _connect(self) -> None:
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self._inner)
        run("ip", "address", "add", f"{self.gateway}/27", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        self.run("ip", "address", "add", f"{self.address}/27", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", self.gateway)
        run("ip", "route", "add", self.pods, "via", self.address)

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--target={self._inner}", "--mount", "--net", "--pid", "--ipc", "--uts", "--", *command]

    def run(self, *command: str) -> str:
        """What a command within the machine says; fails with its words."""
        return run(*self._inside(*command))

    def start(self, name: str, *arguments: str) -> None:
        """A program that runs as long as the machine does."""
        program = shutil.which(name)
        assert program, f"{name} is not here; `python3 -m toolchain ready --for cluster` gets it"
        self._programs[name] = self._popen(name, self._inside(program, *arguments))

    def stop(self) -> None:
        """End its first process, and with it all others, mounts and networks; then what the kernel keeps of it."""
        self._first.kill()
        self._first.wait(120)
        for program in self._programs.values():
            program.wait(120)
        for group in self._groups():
            _remove_groups(group)
        shutil.rmtree(self.folder / "var", ignore_errors=True)  # a gigabyte of images; the logs stay

    def _groups(self) -> list[Path]:
        """The machine's control group, with version 1 of them one of each controller."""
        roots = [CGROUPS] if (CGROUPS / "cgroup.procs").exists() else CGROUPS.iterdir()
        return [root / self.name for root in roots if (root / "cgroup.procs").exists()]


class Node(Machine):
    """The machine with a kubelet, once it is started."""

    def join(self, cluster: Cluster, engine: Engine, images: Iterable[str]) -> None:
        """Start what makes it a node of the cluster, with images of this machine's engine."""
        for folder in self._groups():
            folder.mkdir(exist_ok=True)
        (self.folder / "resolv.conf").write_text("")  # nobody outside is asked for names
        self._start_containerd()
        for image in images:
            hand_over(engine, image, self.folder / "run" / SOCKET)
        self._start_kubelet(cluster)
        self._start_proxy(cluster)
        until(lambda: self._is_ready(cluster), "the node is ready", 240)
        for each in load(Path(__file__).with_name("coredns.yaml").read_text()):
            cluster.apply(each)

    def have_disks(self, cluster: Cluster, count: int) -> None:
        """The storage class `disk`: as many volumes of 10 GiB, which are folders of the node."""
        storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disk"}}
        cluster.create({**storage, "provisioner": "kubernetes.io/no-provisioner"})
        here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [self.name]}]}
        for number in range(count):
            path = Path(f"var/lib/disks/{number}")
            (self.folder / path).mkdir(parents=True)
            cluster.create(
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolume",
                    "metadata": {"name": f"disk-{number}"},
                    "spec": {
                        "capacity": {"storage": "10Gi"},
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": "disk",
                        "local": {"path": f"/{path}"},
                        "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
                    },
                }
            )

    def _start_containerd(self) -> None:
        plugins = shutil.which("host-local")
        assert plugins, "no CNI plugins here; `python3 -m toolchain ready --for cluster` gets them"
        cri = {
            "sandbox_image": PAUSE,
            "restrict_oom_score_adj": True,  # where this machine's own processes may not be spared either
            "cni": {"bin_dir": str(Path(plugins).parent), "conf_dir": str(self.folder / "network")},
            "containerd": {"runtimes": {"runc": {"runtime_type": "io.containerd.runc.v2"}}},
        }
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods",
                    "isGateway": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": self.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
        (self.folder / "network").mkdir()
        (self.folder / "network" / "pods.conflist").write_text(json.dumps(network))
        file = self.folder / "containerd.toml"
        file.write_text(_toml({"version": 2, "plugins": {"io.containerd.grpc.v1.cri": cri}}))
        self.start("containerd", f"--config={file}")
        until(lambda: self._alive() and (self.folder / "run" / SOCKET).exists(), "containerd listens", 240)

    def _start_kubelet(self, cluster: Cluster) -> None:
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address,
            "authentication": {"x509": {"clientCAFile": str(cluster.folder / "client.crt")}},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.name}",
            "clusterDNS": [DNS],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix:///run/{SOCKET}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
            "resolvConf": str(self.folder / "resolv.conf"),
            "syncFrequency": "5s",
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        }
        file = self.folder / "kubelet.json"
        file.write_text(json.dumps(config))
        identity = (f"--hostname-override={self.name}", f"--node-ip={self.address}")
        self.start("kubelet", f"--config={file}", f"--kubeconfig={cluster.kubeconfig}", *identity)

    def _start_proxy(self, cluster: Cluster) -> None:
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(cluster.kubeconfig)},
            "clusterCIDR": self.pods,
            "conntrack": {"maxPerCore": 0},
            "mode": "iptables",
            "hostnameOverride": self.name,
        }
        file = self.folder / "kube-proxy.json"
        file.write_text(json.dumps(config))
        self.start("kube-proxy", f"--config={file}")

    def _is_ready(self, cluster: Cluster) -> bool:
        self._alive()
        for node in cluster.get("Node", "v1")["items"]:
            if node["metadata"]["name"] == self.name:
                return any(
                    each["type"] == "Ready" and each["status"] == "True" for each in node["status"]["conditions"]
                )
        return False


def run(*command: str) -> str:
    """What a command says; fails with its words."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def _remove_groups(folder: Path) -> None:
    """A control group and those in it, which have no process any more."""
    if folder.is_dir():
        for each in folder.iterdir():
            if each.is_dir():
                _remove_groups(each)
        with suppress(OSError):
            folder.rmdir()


def _toml(content: Mapping[str, Any], path: str = "") -> str:
    """Tables of TOML; strings, numbers and lists are written as JSON writes them."""
    own = [f"{key} = {json.dumps(value)}" for key, value in content.items() if not isinstance(value, dict)]
    tables = [
        _toml(value, f'{path}."{key}"' if path else f'"{key}"')
        for key, value in content.items()
        if isinstance(value, dict)
    ]
    return "\n".join([*([f"[{path}]"] if path and own else []), *own, *tables])
