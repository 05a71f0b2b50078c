"""Images for a node that can pull none: those of the Docker engine, and some that are one program."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.engine import Engine
from toolchain import pins
from toolchain.root_filesystem import find_busybox

PAUSE, COREDNS = "localhost/observatory/pause:e2e", "localhost/observatory/coredns:e2e"
KUBE_STATE_METRICS = pins.images()["kube-state-metrics"].tagged
_NOTHING = "trap exit TERM; while :; do /busybox sleep 2147483647 & wait; done"
"""What the first process of a pod does: it ends when asked to, and takes in those whose parents have ended."""


def _program(name: str) -> Path:
    found = shutil.which(name)
    assert found, f"{name} is not here; `python3 -m toolchain ready --for cluster` gets it"
    return Path(found)


@contextmanager
def made_images(engine: Engine) -> Iterator[list[str]]:
    """In the engine while this lasts."""
    made = {
        PAUSE: (find_busybox(), ["/busybox", "sh", "-c", _NOTHING]),
        COREDNS: (_program("coredns"), ["/coredns"]),
        KUBE_STATE_METRICS: (_program("kube-state-metrics"), ["/kube-state-metrics"]),
    }
    try:
        for reference, (program, entrypoint) in made.items():
            _make(engine, reference, program, entrypoint)
        yield [*made]
    finally:
        for reference in made:
            engine.client.images.remove(reference, force=True)


def _make(engine: Engine, reference: str, program: Path, entrypoint: list[str]) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(program.resolve(), f"/{program.name}")
    repository, _, tag = reference.rpartition(":")
    change = f"ENTRYPOINT {json.dumps(entrypoint)}"
    engine.client.api.import_image_from_data(content.getvalue(), repository=repository, tag=tag, changes=[change])


def hand_over(engine: Engine, reference: str, socket: Path) -> None:
    """Give an image of the engine to the containerd of a node."""
    command = ["ctr", f"--address={socket}", "--namespace=k8s.io", "images", "import", "-"]
    image = engine.client.images.get(reference)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as ctr:
        assert ctr.stdin
        assert ctr.stderr
        for part in image.save(named=reference.removeprefix("docker.io/")):
            ctr.stdin.write(part)
        ctr.stdin.close()
        said = ctr.stderr.read().decode()
    assert ctr.returncode == 0, said


def images_of(manifests: list[Mapping[str, object]]) -> set[str]:
    """Every image that is named in objects."""

    def found(value: object) -> Iterator[str]:
        if isinstance(value, Mapping):
            if isinstance(value.get("image"), str):
                yield value["image"]
            for each in value.values():
                yield from found(each)
        elif isinstance(value, list):
            for each in value:
                yield from found(each)

    return {image for manifest in manifests for image in found(manifest)}
