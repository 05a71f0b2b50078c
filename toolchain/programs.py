"""Finds each program: on the machine when it is new enough, else downloaded, else built; and where they are then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolchain import atomic, golang, pins
from toolchain.downloads import Download, Sites, Unavailable, unpack
from toolchain.machine import STATE, ToolchainError, architecture, cache_folder, system, version_numbers
from toolchain.progress import Progress


@dataclass(frozen=True)
class Source:
    """How one program is had: the version that is downloaded, and the oldest one of the machine's that serves."""

    name: str
    binary: str
    version: str
    oldest: str
    download: Download | None
    """None where there is nothing to download: it is built."""
    version_arguments: tuple[str, ...] = ("--version",)
    extra_folders: tuple[Path, ...] = ()


def sources(table: dict[str, pins.Program]) -> dict[str, Source]:
    """The programs that commands of this project run, by the name of their binary."""
    pulumi, provider = pins.requirement("pulumi"), pins.requirement("pulumi-docker")
    images = pins.images()
    prometheus, alertmanager = images["prometheus"].tag.lstrip("v"), images["alertmanager"].tag.lstrip("v")
    if "pulumi" not in table:
        raise ToolchainError("programs.toml has no program pulumi; add it")
    compose = table["compose"].version if "compose" in table else ""
    this = f"{system()}-{architecture()}"
    cli = f"pulumi-v{pulumi}-{this.replace('amd64', 'x64')}.tar.gz"
    plugins = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    github = "https://github.com"
    found = [
        Source(
            "pulumi",
            "pulumi",
            pulumi,
            table["pulumi"].version,
            Download(
                f"https://get.pulumi.com/releases/sdk/{cli}",
                f"https://get.pulumi.com/releases/sdk/pulumi-{pulumi}-checksums.txt",
            ),
            ("version",),
        ),
        Source(
            "docker-provider",
            "pulumi-resource-docker",
            provider,
            provider,
            Download(
                f"{github}/pulumi/pulumi-docker/releases/download/v{provider}/"
                f"pulumi-resource-docker-v{provider}-{this}.tar.gz",
                f"{github}/pulumi/pulumi-docker/releases/download/v{provider}/pulumi-docker_{provider}_checksums.txt",
            ),
            extra_folders=(plugins / f"resource-docker-v{provider}",),
        ),
        _prometheus_tool("prometheus", "prometheus", prometheus, table),
        _prometheus_tool("promtool", "prometheus", prometheus, table),
        _prometheus_tool("amtool", "alertmanager", alertmanager, table),
    ]
    if compose:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(architecture(), architecture())
        address = f"{github}/docker/compose/releases/download/v{compose}/docker-compose-{system()}-{machine}"
        libraries = ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
        folders = (Path.home() / ".docker/cli-plugins", *(Path(each) / "docker/cli-plugins" for each in libraries))
        download = Download(address, f"{address}.sha256")
        found.append(
            Source("compose", "docker-compose", compose, "2.0", download, ("version", "--short"), folders),
        )
    if "thanos" in table:
        version = table["thanos"].version
        base = f"https://github.com/thanos-io/thanos/releases/download/v{version}"
        archive = Download(f"{base}/thanos-{version}.{this}.tar.gz", f"{base}/sha256sums.txt")
        found.append(Source("thanos", "thanos", version, version, archive))
    if "helm" in table:
        version = table["helm"].version
        address = f"https://get.helm.sh/helm-v{version}-{this}.tar.gz"
        found.append(Source("helm", "helm", version, "3.0", Download(address, f"{address}.sha256sum"), ("version",)))
    if "actionlint" in table:
        version = table["actionlint"].version
        base = f"{github}/rhysd/actionlint/releases/download/v{version}/actionlint_{version}"
        archive = Download(f"{base}_{this.replace('-', '_')}.tar.gz", f"{base}_checksums.txt")
        found.append(Source("actionlint", "actionlint", version, "1.7.0", archive))
    found += _cluster(table)
    return {source.binary: source for source in found}


def _cluster(table: dict[str, pins.Program]) -> list[Source]:
    """A Kubernetes control plane, nodes that are played, and what a real one consists of: for the tests."""
    if not {"kubernetes", "etcd", "kwok"} <= table.keys():
        return []
    this, found = f"{system()}-{architecture()}", []
    for program in (table[name] for name in ("kubernetes", "kubernetes-node") if name in table):
        for binary in program.binaries:
            address = f"https://dl.k8s.io/v{program.version}/bin/{system()}/{architecture()}/{binary}"
            asked = ("version", "--client") if binary == "kubectl" else ("--version",)
            download = Download(address, f"{address}.sha256")
            found.append(Source(binary, binary, program.version, program.version, download, asked))
    version = table["etcd"].version
    base = f"https://github.com/etcd-io/etcd/releases/download/v{version}"
    found.append(
        Source(
            "etcd", "etcd", version, version, Download(f"{base}/etcd-v{version}-{this}.tar.gz", f"{base}/SHA256SUMS")
        )
    )
    version = table["kwok"].version
    address = f"https://github.com/kubernetes-sigs/kwok/releases/download/v{version}/kwok-{this}"
    found.append(Source("kwok", "kwok", version, version, Download(address)))
    for name, binary in (("prometheus-operator",) * 2, ("coredns",) * 2, ("cni-plugins", "host-local")):
        if name in table:
            version = table[name].version
            found.append(Source(name, binary, version, version, None))
    if "kube-state-metrics" in table:
        version = table["kube-state-metrics"].version
        found.append(Source("kube-state-metrics", "kube-state-metrics", version, version, None, ("version",)))
    return found


def _prometheus_tool(binary: str, product: str, version: str, table: dict[str, pins.Program]) -> Source:
    base = f"https://github.com/prometheus/{product}/releases/download/v{version}"
    archive = f"{product}-{version}.{system()}-{architecture()}.tar.gz"
    oldest = table[_builder(binary, table)].version
    return Source(binary, binary, version, oldest, Download(f"{base}/{archive}", f"{base}/sha256sums.txt"))


def _builder(binary: str, table: dict[str, pins.Program]) -> str:
    """The program whose build gives a binary: the one of that name, or any."""
    if binary in table:
        return binary
    for name, program in table.items():
        if binary in program.binaries:
            return name
    raise ToolchainError(f"programs.toml builds no {binary}; add it, or install {binary} yourself")


class Programs:
    """The programs of one run; every question that was answered by starting a program is remembered by its file."""

    def __init__(self, progress: Progress, sites: Sites, table: dict[str, pins.Program]) -> None:
        self._progress = progress
        self._sites = sites
        self.table = table
        self.sources = sources(table)

    def find(self, binary: str) -> Path | None:
        """A program that is there already and new enough: the machine's first, then what an earlier run made."""
        source = self.sources[binary]
        own = shutil.which(binary, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, source.extra_folders)]))
        if own and self._new_enough(Path(own), source):
            return Path(own)
        folders = [self._official(source), golang.folder(self.table[_builder(binary, self.table)])]
        for folder in folders:
            if (folder / "bin" / binary).exists():
                return folder / "bin" / binary
        return None

    def ensure(self, binary: str) -> Path:
        """Finds, downloads or builds a program; raises ToolchainError when none of it can be done here."""
        found = self.find(binary)
        if found:
            return found
        source = self.sources[binary]
        if source.download and self._download(source, source.download):
            return self._official(source) / "bin" / binary
        return golang.build(self.table[_builder(binary, self.table)], self._progress) / "bin" / binary

    def _download(self, source: Source, download: Download) -> bool:
        with self._progress.step(f"{source.name} {source.version}", "downloading", "downloaded") as step:
            try:
                atomic.make_folder(self._official(source), self._downloader(source, download))
            except Unavailable as error:
                step.done = f"cannot be downloaded here ({error})"
                return False
        return True

    def _official(self, source: Source) -> Path:
        return cache_folder() / "programs" / source.name / f"{source.version}-official"

    def _downloader(self, source: Source, download: Download) -> Callable[[Path], None]:
        def fill(folder: Path) -> None:
            file = folder / download.file_name
            self._sites.fetch(download, file)
            if file.name.endswith(".tar.gz"):
                unpack(file, folder / "bin", {source.binary} if source.binary.endswith("tool") else None)
                file.unlink()
            else:
                (folder / "bin").mkdir()
                file.rename(folder / "bin" / source.binary)
                (folder / "bin" / source.binary).chmod(0o755)
            if not (folder / "bin" / source.binary).exists():
                raise Unavailable(f"{download.file_name} holds no {source.binary}")

        return fill

    def _new_enough(self, file: Path, source: Source) -> bool:
        known = STATE / "versions.json"
        try:
            versions = json.loads(known.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            versions = {}
        status = file.stat()
        key = f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"
        if key not in versions:
            try:
                answer = subprocess.run(
                    [str(file), *source.version_arguments], capture_output=True, text=True, timeout=20, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                return False
            versions[key] = list(version_numbers(answer.stdout + " " + answer.stderr))
            atomic.write(known, json.dumps(versions, indent=1) + "\n")
        return tuple(versions[key]) >= version_numbers(source.oldest)
