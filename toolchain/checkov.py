"""Checkov, which looks through Kubernetes manifests for what is unsafe: in a folder of its own, beside the programs."""

from __future__ import annotations

from pathlib import Path

from toolchain import atomic, pins, venv
from toolchain.machine import ROOT, cache_folder, python_version
from toolchain.progress import Progress

REQUIREMENTS = ROOT / "requirements-lint.txt"
_START = """\
#!/bin/sh
PYTHONPATH="$(dirname "$0")/../lib" exec python3 -m checkov.main "$@"
"""


def ensure(progress: Progress) -> Path:
    """The program, installed where it is missing; raises ToolchainError."""
    version = pins.requirement("checkov", REQUIREMENTS)
    made = cache_folder() / "programs" / "checkov" / f"{version}-python{python_version()}"

    def fill(folder: Path) -> None:
        venv.install(["--target", str(folder / "lib"), "-r", str(REQUIREMENTS)], "checkov")
        (folder / "bin").mkdir()
        (folder / "bin" / "checkov").write_text(_START, encoding="utf-8")
        (folder / "bin" / "checkov").chmod(0o755)

    if not made.exists():
        venv.ensure(progress)
        made.parent.mkdir(parents=True, exist_ok=True)
        with progress.step(f"checkov {version}", "installing", "installed"):
            atomic.make_folder(made, fill)
    return made / "bin" / "checkov"
