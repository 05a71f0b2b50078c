"""`render`: every file as deployed, in a folder that stays exactly that, run after run."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from components.config import StackConfig
from components.plan import plan_stack_file
from components.spec import Plan
from components.yaml_text import dump
from operations import console
from operations.errors import CommandError

MARKER = ".observatory-render"
"""Says which files of a folder are ours, so that stale ones can go and others are never touched.

Without an ending: kubectl takes every .yaml and .json of a folder for an object.
"""


def rendered_files(plan: Plan) -> dict[str, str]:
    """Path below the output folder to content: `prometheus/prometheus.yml` and so on, withheld services too."""
    return {
        f"{service.name}/{file.path}": file.content
        for service in (*plan.services, *plan.withheld)
        for file in service.files
    }


def write_tree(folder: Path, files: dict[str, str], force: bool = False, command: str = "render") -> list[str]:
    """Make `folder` hold these files; returns the stale ones removed. Unchanged files are not touched.

    The marker, one for each command, names old and new files before the first is written: after an interruption the
    next run cleans up.
    """
    marker = folder / f".observatory-{command}"
    ours = _marked(marker)
    if ours is None and not force and folder.is_dir() and any(folder.iterdir()):
        raise CommandError(
            f"{folder} holds files that `{command}` did not write", "give an empty folder, or add --force"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stale = sorted(path for path in set(ours or ()) - set(files) if _is_inside(path))
        _write(marker, _marker(command, [*files, *stale]))
        # Stale files first: a file may have become a folder.
        removed = [path for path in stale if _remove(folder, path)]
        for path, content in files.items():
            _write(folder / path, content)
        _write(marker, _marker(command, files))
    except OSError as error:
        raise CommandError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return removed


def written_by(folder: Path, command: str) -> list[str]:
    """The files in a folder that an earlier run of this command wrote there, by its marker."""
    return [path for path in _marked(folder / f".observatory-{command}") or () if _is_inside(path)]


def _marker(command: str, files: Iterable[str]) -> str:
    return json.dumps({"written-by": f"observatory {command}", "files": sorted(files)}, indent=1) + "\n"


def _marked(file: Path) -> list[str] | None:
    """The files that an earlier run wrote there; None where none did."""
    try:
        marker = json.loads(file.read_text())
        return [str(path) for path in marker["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts


def _write(path: Path, content: str) -> None:
    """Replace a file as a whole or not at all."""
    data = content.encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".observatory-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove(folder: Path, path: str) -> bool:
    """Remove a stale file and the folders that it leaves empty; False where it was gone already."""
    try:
        (folder / path).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    for parent in PurePosixPath(path).parents:
        if str(parent) == ".":
            break
        with contextlib.suppress(OSError):
            (folder / parent).rmdir()
    return True


def rendered_manifests(config: StackConfig, plan: Plan) -> dict[str, str]:
    """Kubernetes objects, a file for each service and one, first by name, for what belongs to none."""
    if config.platform != "kubernetes":
        raise CommandError(f"{config.environment} has platform: {config.platform}", "only Kubernetes has manifests")
    from components.platforms.kubernetes_manifests import service_manifests, stack_manifests
    from components.platforms.kubernetes_objects import Stack

    whole = Stack(config, plan)
    groups = {"00-stack.yaml": stack_manifests(whole)}
    groups |= {f"{service.name}.yaml": service_manifests(whole, service) for service in plan.services}
    return {path: "---\n".join(map(dump, objects)) for path, objects in groups.items()}


def _manifests(config: StackConfig, plan: Plan, out: Path, force: bool, as_json: bool) -> int:
    files = rendered_manifests(config, plan)
    write_tree(out, files, force)
    secrets = list(dict.fromkeys(name for service in plan.services for name in service.secrets))
    if as_json:
        console.print_json([{"path": path, "objects": text.count("\n---\n") + 1} for path, text in files.items()])
        return 0
    console.say(
        f"{sum(text.count(chr(10) + '---') + 1 for text in files.values())} objects in {len(files)} files in {out}"
    )
    if secrets:
        console.note(
            f"they hold placeholders of secrets; put in the values before you apply them: {', '.join(secrets)}"
        )
    return 0


def render_command(stack: str, out: Path, force: bool, as_json: bool, manifests: bool = False) -> int:
    """Render a stack into a folder: its files, or the Kubernetes objects that hold them."""
    config, plan = plan_stack_file(stack)
    if manifests:
        return _manifests(config, plan, out, force, as_json)
    files = rendered_files(plan)
    stale = write_tree(out, files, force)
    if as_json:
        services = (*plan.services, *plan.withheld)
        console.print_json(
            [
                {"service": service.name, "path": f"{service.name}/{file.path}", "secrets": list(file.secrets)}
                for service in services
                for file in service.files
            ]
        )
        return 0
    console.say(f"{len(files)} files of {len({path.split('/')[0] for path in files})} services in {out}")
    if stale:
        console.say(f"{len(stale)} stale removed: {', '.join(stale[:5])}{' ...' if len(stale) > 5 else ''}")
    for name in plan.unavailable:
        console.note(f"{name} would not be deployed: its image cannot be had on this machine; its files are rendered")
    return 0
