"""A pod's containers on a Docker engine, with the planned loader: a changed file goes live without a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from components.images import load_catalogue
from components.plan import plan_stack
from components.platforms.kubernetes_loader import SOURCE, command
from components.spec import Service
from tests.e2e.engine import LABEL, Engine, until
from tests.platforms.kubelet import hand_over
from tests.support import service, stack

PRODUCTS = ("prometheus", "alertmanager", "blackbox-exporter")
"""Those that a signal reloads; Grafana's commands are those that the tests on Docker run."""

TOOLS = ("cat", "cp", "dirname", "grep", "ln", "mkdir", "mv", "readlink", "rm", "sleep", "test")


@dataclass
class Pod:
    """Three containers that share their processes as those of a pod do; the first does nothing."""

    service: Service
    files: Path
    main: Container
    loader: Container

    def loads(self) -> int:
        """How often the program has said that it loaded its configuration."""
        assert self.service.reload
        return str(self.main.logs().decode()).count(self.service.reload.loaded)


@pytest.fixture
def pod(request: pytest.FixtureRequest, engine: Engine, run_name: str, tmp_path: Path) -> Iterator[Pod]:
    config = stack(environment=run_name)
    planned = service(plan_stack(config, load_catalogue(config.images)), request.param)
    files, folder, tools = tmp_path / "files", tmp_path / "folder", tmp_path / "tools"
    for path in (tmp_path.parent, tmp_path, files, folder, tools):
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
    for tool in TOOLS:  # official images have them all; those made on a machine without downloads have the program
        (tools / tool).symlink_to("/bin/busybox")
    hand_over(files, 1, {file.path: file.content for file in planned.files})
    names = [f"{run_name}-pod-{part}" for part in ("pause", "loader", "main")]
    labels = {LABEL: run_name}
    run: Any = engine.client.containers.run
    inside = {str(tools): {"bind": "/observatory/tools", "mode": "ro"}}
    inside |= {str(files): {"bind": SOURCE, "mode": "ro"}, str(folder): {"bind": planned.config_folder, "mode": "rw"}}
    search = {"PATH": "/usr/bin:/bin:/observatory/tools"}
    shared: dict[str, Any] = {"detach": True, "labels": labels, "network_mode": "none", "cap_drop": ["ALL"]}
    shared |= {"environment": search, "volumes": inside}
    try:
        run(planned.image, ["600"], name=names[0], entrypoint="sleep", user="65535:65535", **shared)
        shared |= {"pid_mode": f"container:{names[0]}", "user": planned.user, "read_only": True}
        shell, *arguments = command(planned)
        loader = run(planned.image, arguments, name=names[1], entrypoint=shell, **shared)
        until((folder / "current").is_symlink, "the loader has laid out the files")
        inside[str(folder)]["mode"] = "ro"
        uid, gid = planned.user.split(":")
        data = {volume.path: f"uid={uid},gid={gid}" for volume in planned.volumes}
        main = run(planned.image, list(planned.args), name=names[2], tmpfs=data, **shared)
        yield Pod(planned, files, main, loader)
    finally:
        for name in reversed(names):
            with suppress(NotFound):
                engine.client.containers.get(name).remove(force=True, v=True)


@pytest.mark.parametrize("pod", PRODUCTS, indirect=True)
def test_a_changed_file_is_loaded_by_the_running_program(pod: Pod) -> None:
    started = "Loaded config file" if pod.service.name == "blackbox-exporter" else "Completed loading of configuration"
    until(_says(pod.main, started), f"{pod.service.name} has started")
    before = pod.loads()
    files = {file.path: file.content for file in pod.service.files}
    first = pod.service.files[0].path
    hand_over(pod.files, 2, files | {first: files[first] + "# changed\n"})
    until(lambda: pod.loads() == before + 1, f"{pod.service.name} has loaded its configuration again")
    until(_says(pod.loader, "2026_01_01_00_00_02.123 is live"), "the loader says so")
    pod.main.reload()
    assert pod.main.status == "running"
    assert pod.main.attrs["RestartCount"] == 0
    run: Any = pod.main.exec_run
    code, seen = run(["cat", f"{pod.service.mounted_config}/{first}"])
    assert code == 0
    assert seen.decode().endswith("# changed\n")


def _says(container: Container, words: str) -> Callable[[], bool]:
    return lambda: words in container.logs().decode()
