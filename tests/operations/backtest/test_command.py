"""The command as people call it: in a clone with a changed stack file, against a folder with data."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import plotly.graph_objects as go
import pytest

from components.catalogue import ROOT
from tests.operations.backtest.blocks import BEGIN, steady, written

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this project in it; in its working tree TargetDown waits for one minute in place of five."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "link").symlink_to(ROOT)  # it leads out of the folder, and so is not followed there
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True, capture_output=True)
    file = folder / "stacks" / "Pulumi.dev.yaml"
    file.write_text(file.read_text() + "    alerts: {TargetDown: {for: 1m}}\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours, in which a target is down for 3 minutes, and later for 20."""
    shop = [*steady(1, 0, 3600), *steady(0, 3600, 3780), *steady(1, 3780, 7200), *steady(0, 7200, 8400)]
    samples = {
        'up{job="shop",instance="<b>shop</b>",team="web"}': [*shop, *steady(1, 8400, 14400)],
        'up{job="prometheus",instance="prometheus:9090"}': steady(1, 0, 14400),
    }
    return written(samples, tmp_path_factory.mktemp("data"))


def backtest(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from operations.app import main; main()"
    environment = {**os.environ, "PYTHONWARNINGS": "error", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", program, "backtest", *arguments],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_changed_number_in_the_stack_file(clone: Path, data: Path, tmp_path: Path) -> None:
    before = digest(data)
    page = tmp_path / "page.html"
    done = backtest(clone, "dev", "--against", str(data), "--days", "0.15", "--json", "--html", str(page))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(each["alert"], each["change"]) for each in found["alerts"]] == [("TargetDown", "changed")]
    now, then = found["alerts"][0]["now"], found["alerts"][0]["before"]
    assert (now["for"], now["firings"], now["firing_seconds"], now["longest"]) == (60, 2, 120 + 1140, 1140)
    assert (then["for"], then["firings"], then["firing_seconds"], then["pending_only"]) == (300, 1, 900, 1)
    assert [each["start"] - BEGIN for each in now["episodes"]] == [3660, 7260]
    assert now["episodes"][0]["labels"]["instance"] == "<b>shop</b>"
    assert found["alerts"][0]["difference"] == {"both": 900, "only_now": 360, "only_before": 0}
    assert "TargetDown (before): " in done.stderr, "how far it is"
    assert digest(data) == before, "the data stays as it is"

    text = page.read_text()
    assert "https://" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "<b>shop</b>" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    (figure,) = json.loads(figures).values()
    # Plotly's own check of names and values; colours are the page's, put in when it is shown.
    go.Figure(json.loads(re.sub(r"var\(--[\w-]+\)(/[\d.]+)?", "#888888", json.dumps(figure))))
    bars = {trace["name"]: (trace["base"], trace["x"]) for trace in figure["data"]}
    assert bars["now"] == ([(BEGIN + 3660) * 1000, (BEGIN + 7260) * 1000], [120_000, 1_140_000])
    assert bars["before"] == ([(BEGIN + 7500) * 1000], [900_000])


def test_the_same_for_people(clone: Path, data: Path) -> None:
    done = backtest(clone, "dev", "--against", str(data), "--days", "0.15")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^TargetDown +now +2 +21m +19m +1 +0 +changed$", done.stdout, re.MULTILINE)
    assert re.search(r"^ +before +1 +15m +15m +1 +1$", done.stdout, re.MULTILINE)
    assert "TargetDown: 15m by both rules, 6m by that of now alone, - by that of before alone" in done.stdout
    again = backtest(clone, "dev", "--against", str(data), "--base", "HEAD", "--days", "0.15", "TargetDown", "--json")
    assert json.loads(again.stdout)["alerts"][0]["change"] == "changed"


def interrupted(clone: Path, data: Path, folder: Path) -> tuple[Path, int, str] | None:
    """A run that gets Ctrl-C while its server runs: the server's folder, its code and its last words.

    None where a busy machine let it come to its end before it was told.
    """
    command = [
        sys.executable,
        "-c",
        "from operations.app import main; main()",
        "backtest",
        "dev",
        "--against",
        str(data),
    ]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 120
        while not (started := [*folder.glob("observatory-snapshot-*/log")]) and run.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=300)
    if run.returncode == 0:
        return None
    assert started, errors.decode()
    return started[0].parent, run.returncode, errors.decode().splitlines()[-1]


def test_ctrl_c_leaves_nothing_behind(clone: Path, data: Path, tmp_path: Path) -> None:
    for _ in range(5):
        if ended := interrupted(clone, data, tmp_path):
            break
    else:
        raise AssertionError("it never ended at Ctrl-C")
    server, *said = ended
    assert said == [130, "interrupted"]
    assert [*tmp_path.iterdir()] == []
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert [line for line in listed.splitlines() if str(server) in line] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--base", "no-such"), 1, "error: --base no-such: git knows no such revision"),
        (("--base", "--help"), 1, "error: --base --help: git knows no such revision"),
        (("TargetDwon",), 2, "error: this stack has no alert TargetDwon"),
        (("--against", "ftp://x"), 2, "error: --against ftp://x is no address"),
        (("--against", "stacks"), 2, "error: --against stacks holds no data of Prometheus"),
        (("--against", "http://127.0.0.1:1"), 1, "error: prometheus cannot be reached"),
        (("--max-samples", "1000", "--against", "DATA", "--days", "0.15"), 1, "--max-samples allows 1,000"),
        (
            ("--html", "/no/such/page.html", "--against", "DATA"),
            2,
            "error: --html /no/such/page.html: there is no folder",
        ),
    ],
)
def test_errors_are_told_without_a_traceback(
    clone: Path, data: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = backtest(clone, "dev", *(str(data) if each == "DATA" else each for each in arguments))
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
