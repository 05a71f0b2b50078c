"""A real S3 server on this machine that containers can reach: SeaweedFS, all of it in one process."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.engine import free_ports, until
from toolchain import seaweedfs

ACCESS_KEY, SECRET_KEY = "e2e-access-key", "e2e-secret-key"
NEXT_ACCESS_KEY, NEXT_SECRET_KEY = "e2e-next-access-key", "e2e-next-secret-key"
"""The keys that the others are rotated to."""
_IDENTITY = {
    "name": "tests",
    "credentials": [
        {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY},
        {"accessKey": NEXT_ACCESS_KEY, "secretKey": NEXT_SECRET_KEY},
    ],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}


class S3Server:
    """The server, its data below `folder`. It can be stopped and started again: as S3 that is away for a while."""

    def __init__(self, folder: Path, address: str, *options: str) -> None:
        program = shutil.which("weed") or (str(seaweedfs.program()) if seaweedfs.program().exists() else "")
        if not program:
            pytest.skip("weed is not here; `python3 -m toolchain ready --for e2e` gets it")
        self.folder, self.address = folder, address
        names = ["s3.port.iceberg", "s3.port.lance"]
        names += [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.endpoint = f"http://{address}:{ports['s3.port']}"
        self._filer = f"http://{address}:{ports['filer.port']}"
        (folder / "data").mkdir(parents=True)
        (folder / "s3.json").write_text(json.dumps({"identities": [_IDENTITY]}))
        self._command = [program, "server", "-s3", f"-dir={folder}/data", f"-ip={address}", f"-ip.bind={address}"]
        self._command += [f"-{name}={port}" for name, port in ports.items()]
        self._command += [f"-s3.config={folder}/s3.json", "-s3.allowDeleteBucketNotEmpty", "-volume.max=100"]
        self._command += ["-master.volumeSizeLimitMB=64", "-master.telemetry=false", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes and gives an object's name."""
        self._client = httpx.Client(trust_env=False, timeout=60)  # one for hundreds of small requests
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.folder)
        until(self._answers, f"the S3 server answers: {self.folder}/log", 180)

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        with suppress(httpx.TransportError):
            return self._client.get(f"{self.endpoint}/healthz").is_success
        return False

    def storage(self, **more: Any) -> dict[str, Any]:
        """`storage` of a stack file that keeps samples in the bucket `metrics` of this server."""
        keys = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}
        bucket = {"name": "metrics", "region": "us-east-1", "endpoint": self.endpoint, "path_style": True}
        return {"backend": "s3", "bucket": {**bucket, "credentials": keys, "encryption": "none"}, **more}

    def make_bucket(self, name: str) -> None:
        """A bucket, as the server keeps it: a folder."""
        assert self._client.post(f"{self._filer}/buckets/{name}/").is_success

    def listed(self, path: str) -> list[str]:
        """Names below a folder of a bucket: `metrics`, `metrics/01K...`."""
        names: list[str] = []
        while True:
            last = {"lastFileName": names[-1]} if names else {}
            answer = self._client.get(
                f"{self._filer}/buckets/{path}/",
                params={"limit": 1000, **last},
                headers={"Accept": "application/json"},
            )
            if not answer.is_success:
                return names
            found = answer.json()
            names += [entry["FullPath"].rpartition("/")[2] for entry in found["Entries"] or ()]
            if not found["ShouldDisplayLoadMore"]:
                return names

    def content(self, path: str) -> str:
        """The text of an object."""
        return self._client.get(f"{self._filer}/buckets/{path}").raise_for_status().text

    def stop(self) -> None:
        """End it, at once where it does not end by itself; what it holds stays."""
        if self._process:
            self._client.close()
            self._process.terminate()
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
