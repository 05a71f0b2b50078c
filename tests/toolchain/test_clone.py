"""The command itself in a small clone: programs built by a stand-in for Go, no download site in reach."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain.machine import ROOT

GO = """#!/bin/sh
# Stands in for Go: builds a script, slowly when told so, and keeps count.
if [ "$1" = env ]; then echo go1.99.0; exit; fi
while [ "$1" != -o ]; do shift; done
echo "$2" >> "$GO_LOG"
echo half > "$2"
[ -z "$GO_FAILS" ] || { echo "no such module"; exit 1; }
[ -z "$GO_SLOW" ] || sleep 600
printf '#!/bin/sh\\necho 1.0.0\\n' > "$2"
chmod 755 "$2"
"""


class Clone:
    """A copy of what the toolchain reads, with a cache folder and a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "clone"
        self.cache = folder / "cache" / "observatory"
        self.log = folder / "go.log"
        shutil.copytree(ROOT / "toolchain", self.root / "toolchain", ignore=shutil.ignore_patterns("__pycache__", "go"))
        requirements = ("requirements.txt", "requirements-dev.txt", "examples/requirements.txt")
        for name in (*requirements, "components/versions.yaml"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        programs = {"pulumi": "pulumi", "docker-provider": "pulumi-resource-docker", "prometheus": "promtool"}
        programs |= {"alertmanager": "amtool", "actionlint": "actionlint"}
        text = ""
        for name, binary in programs.items():
            module = self.root / "toolchain" / "go" / name
            module.mkdir(parents=True)
            (module / "go.mod").write_text("module x\n\ngo 1.20\n")
            text += f'[programs.{name}]\nversion = "9.0.0"\nbinaries = {{ "{binary}" = "example.com/x" }}\n'
        (self.root / "toolchain" / "programs.toml").write_text(text)
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "go").write_text(GO)
        (self.bin / "go").chmod(0o755)
        self._make_venv()
        nowhere = "http://127.0.0.1:9"
        self.environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "GO_LOG": str(self.log),
            "https_proxy": nowhere,
            "http_proxy": nowhere,
        }

    def _make_venv(self) -> None:
        """A ready environment, so that no package is installed here."""
        (self.root / ".venv" / "bin").mkdir(parents=True)
        (self.root / ".venv" / "bin" / "python").symlink_to(sys.executable)
        code = (
            "import json; from toolchain import venv;"
            "venv._stamp().write_text(json.dumps({n: venv._digest(n) for n in (venv.RUN, venv.DEVELOP)}))"
        )
        subprocess.run([sys.executable, "-c", code], cwd=self.root, check=True)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "toolchain", *arguments],
            cwd=self.root,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments, **variables) as process:
            out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def builds(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def left(self) -> list[Path]:
        return list(self.cache.rglob(".part-*"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_ready_builds_what_cannot_be_downloaded_and_then_does_nothing(clone: Clone) -> None:
    first = clone.run("ready", "--for", "preview", "--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["ready"]
    assert sorted(report["programs"]) == ["pulumi", "pulumi-resource-docker"]
    assert "pulumi 9.0.0: built" in first.stderr
    assert "\x1b" not in first.stderr
    assert clone.builds() == 2
    second = clone.run("ready", "--for", "preview")
    assert (second.returncode, second.stderr, clone.builds()) == (0, "", 2)


def test_the_home_folder_stays_untouched(clone: Clone) -> None:
    assert clone.run("ready", "--for", "preview").returncode == 0
    assert not Path(clone.environment["HOME"]).exists()


def test_a_second_clone_shares_the_programs(clone: Clone, tmp_path: Path) -> None:
    clone.run("ready", "--for", "preview")
    (tmp_path / "other").mkdir()
    other = Clone(tmp_path / "other")
    other.environment["XDG_CACHE_HOME"] = clone.environment["XDG_CACHE_HOME"]
    assert other.run("ready", "--for", "preview").returncode == 0
    assert other.builds() == 0


def test_a_new_enough_program_of_the_machine_is_used_and_an_old_one_is_not(clone: Clone) -> None:
    for name, version in (("promtool", "promtool, version 9.1.0 (branch: x)"), ("amtool", "amtool, version 8.9.9")):
        (clone.bin / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (clone.bin / name).chmod(0o755)
    programs = json.loads(clone.run("ready", "--for", "test", "--json").stdout)["programs"]
    assert programs["promtool"] == str(clone.bin / "promtool")
    assert Path(programs["amtool"]).is_relative_to(clone.cache)


def test_exec_runs_in_the_right_environment(clone: Clone) -> None:
    script = "command -v pulumi; cat $PULUMI_CONFIG_PASSPHRASE_FILE; exit 3"
    done = clone.run("exec", "--for", "preview", "--", "sh", "-c", script)
    assert done.returncode == 3
    pulumi, passphrase = done.stdout.splitlines()
    assert Path(pulumi).is_relative_to(clone.cache)
    file = clone.root / ".observatory" / "passphrase"
    assert file.read_text().strip() == passphrase
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_failed_build_is_one_clear_line_and_leaves_nothing(clone: Clone) -> None:
    done = clone.run("exec", "--for", "preview", "--", "true", GO_FAILS="1")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 2
    assert all("no such module" in line and "Go module proxy" in line for line in errors)
    assert "Traceback" not in done.stderr
    assert clone.left() == []
    assert clone.run("ready", "--for", "preview").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_children_and_leaves_nothing(clone: Clone, number: signal.Signals) -> None:
    with clone.start("ready", "--for", "preview", GO_SLOW="1") as process:
        try:
            deadline = time.monotonic() + 120
            while not clone.builds():
                assert time.monotonic() < deadline, "nothing is built"
                time.sleep(0.02)
            process.send_signal(number)
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()  # or leaving the block would wait for ever for one that does not end
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert clone.left() == []
    assert _processes_using(clone.bin) == []
    assert clone.run("ready", "--for", "preview").returncode == 0


def test_nohup_counts_for_what_is_run(clone: Clone) -> None:
    script = (
        f"trap '' HUP; exec {sys.executable} -m toolchain exec --for preview -- sh -c 'kill -s HUP $$; echo goes on'"
    )
    done = subprocess.run(
        ["sh", "-c", script], cwd=clone.root, env=clone.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "goes on\n")


def test_an_interruption_whose_exception_gets_lost_ends_it_all_the_same() -> None:
    """Python only reports what is raised in a callback; nobody should have to wait for ever because of that."""
    program = (
        "import os, signal, time, toolchain.__main__ as main\n"
        "main._PATIENCE_SECONDS = 0.2\n"
        "signal.signal(signal.SIGTERM, main._interrupt)\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(5)\n"
        "except KeyboardInterrupt:\n    time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (130, "error: interrupted; run it again to go on\n")


def _processes_using(folder: Path) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = file.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in text and file.parent.name != str(os.getpid()):
            found.append(text)
    return found


def test_env_prints_what_a_shell_can_evaluate(clone: Clone) -> None:
    clone.run("ready", "--for", "preview")
    done = clone.run("env")
    assert done.returncode == 0
    shown = subprocess.run(["sh", "-c", f"{done.stdout}\npulumi"], capture_output=True, text=True, check=True)
    assert shown.stdout == "1.0.0\n"
