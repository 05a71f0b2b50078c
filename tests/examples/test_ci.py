"""The workflow files for GitHub and GitLab: each step's shell is run, against servers that speak their API.

What gets a runner ready is left out: the machine that runs the tests is. `pulumi` answers as it did once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.yaml_text import dump, load
from operations import programs
from operations.report.change import DANGERS
from tests.operations.report.prepared_changes import SHOP
from tests.operations.report.repository import Repository, without_progress
from tests.support import changed

CI = Path(__file__).resolve().parents[2] / "examples" / "ci"
MARKER = "<!-- observatory review -->\n"
PREVIEW = """Previewing update (shop):
  pulumi:pulumi:Stack: (same)
        ~ pulumi-python:dynamic/docker:Configuration: (update)
            [urn=urn:pulumi:shop::observatory::Configuration::prometheus]
          ~ files       : {
              ~ prometheus.yml: "..." => "..."
            }
Resources:
    ~ 1 to update
    48 unchanged
"""
_TOOLCHAIN = """import os, sys
if sys.argv[1] == "exec":
    command = sys.argv[sys.argv.index("--") + 1:]
    os.execvp(command[0], command)
"""


class Forge:
    """The comments of one pull request, by either API; what was asked is kept."""

    def __init__(self, comments: list[dict[str, Any]]) -> None:
        self.comments, self.asked, self.refuses = comments, [], 0  # type: tuple[list[dict[str, Any]], list[str], int]
        self.tokens: set[str | None] = set()

    def answer(self, method: str, target: str, body: dict[str, str]) -> tuple[int, Any]:
        """As the documentation of both says."""
        parts, query = urlsplit(target), parse_qs(urlsplit(target).query)
        self.asked.append(f"{method} {parts.path}")
        if self.refuses:
            return self.refuses, {"message": "Resource not accessible by integration"}
        collection = re.fullmatch(
            r"/repos/acme/monitoring/issues/7/comments|/projects/42/merge_requests/7/notes", parts.path
        )
        one = re.fullmatch(
            r"/repos/acme/monitoring/issues/comments/(\d+)|/projects/42/merge_requests/7/notes/(\d+)", parts.path
        )
        if method == "GET" and collection:
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, self.comments[(page - 1) * size : page * size]
        if method == "POST" and collection:
            self.comments.append({"id": len(self.comments) + 1, "html_url": "https://example.com/7#1", **body})
            return 201, self.comments[-1]
        if one and method == ("PATCH" if one[1] else "PUT"):
            comment = next(each for each in self.comments if each["id"] == int(one[1] or one[2]))
            comment.update(body)
            return 200, comment
        return 404, {"message": "Not Found"}


@contextmanager
def serving(forge: Forge) -> Iterator[str]:
    """The forge at an address."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            forge.tokens.add(self.headers.get("PRIVATE-TOKEN") or self.headers.get("Authorization"))
            code, answer = forge.answer(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two commits: what was reviewed, and a pull request that opens a port and keeps less."""
    folder = tmp_path_factory.mktemp("ci")
    made = Repository(folder / "monitoring", {"shop": SHOP}, {"toolchain/__main__.py": _TOOLCHAIN})
    shutil.copytree(CI, made.folder / "examples" / "ci", ignore=shutil.ignore_patterns("__pycache__"))
    made.commit("base")
    stack = changed(SHOP, retention__time="20d", ports={"alertmanager": "10.0.0.5:9093"})
    made.write("stacks/Pulumi.shop.yaml", dump({"config": {"observatory:stack": stack}}))
    made.commit("merged")
    program = folder / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\ncat {folder}/answer\nexit $(cat {folder}/code)\n')
    program.chmod(0o755)
    return made


@pytest.fixture
def variables(repository: Repository, tmp_path: Path) -> dict[str, str]:
    """What every CI sets, with `pulumi` as it answers where all is well."""
    home = repository.folder.parent
    (home / "answer").write_text(PREVIEW)
    (home / "code").write_text("0")
    (home / "calls").write_text("")
    for name in ("report.md", "preview.md"):
        (repository.folder / name).unlink(missing_ok=True)
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GITLAB_", "CI", "PULUMI"))
    }
    return {
        **kept,
        "PATH": os.pathsep.join([str(home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PULUMI_CONFIG_PASSPHRASE": "of the tests",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def shell(script: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As GitHub runs a step: https://docs.github.com/actions/reference/workflow-syntax#exit-codes-and-error-action."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    done.stderr = without_progress(done.stderr)
    return done


def github_steps() -> dict[str, dict[str, Any]]:
    """The steps with a shell, by name."""
    workflow = load((CI / "github.yml").read_text())
    return {step["name"]: step for step in workflow["jobs"]["review"]["steps"] if "run" in step}


def github(
    repository: Repository, variables: dict[str, str], address: str
) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run the job; as `!cancelled()` says, a step that fails does not end it."""
    own = {
        **variables,
        **load((CI / "github.yml").read_text())["env"],
        "STACKS": "shop",
        "GITHUB_API_URL": address,
        "GITHUB_REPOSITORY": "acme/monitoring",
        "GITHUB_TOKEN": "of-the-job",
        "PULL_REQUEST": "7",
    }
    return {
        name: shell(step["run"], repository.folder, own)
        for name, step in github_steps().items()
        if name not in ("Get ready", "Validate")
    }


def test_github_comments_once_and_then_changes_it(repository: Repository, variables: dict[str, str]) -> None:
    forge = Forge([{"id": number + 1, "body": "Looks good."} for number in range(120)])
    with serving(forge) as address:
        done = github(repository, variables, address)
        assert {name: step.returncode for name, step in done.items()} == {
            "Report": 1,
            "Preview": 0,
            "Show": 0,
            "Comment": 0,
        }, done
        assert done["Report"].stderr.splitlines() == [
            "shop: open-port: port alertmanager 9093 moved: 127.0.0.1:9093 -> 10.0.0.5:9093",
            "shop: data-loss: samples on disk kept for less: 30d -> 20d",
        ]
        assert done["Comment"].stdout == "comment 121 written https://example.com/7#1\n"
        (body,) = [comment["body"] for comment in forge.comments if comment["body"].startswith(MARKER)]
        for text in ("## What changes against HEAD^1 (", "samples on disk", "## pulumi preview: shop", "~ 1 to update"):
            assert text in body
        assert "of the tests" not in body
        assert Path(variables["GITHUB_STEP_SUMMARY"]).read_text().count("## What changes against") == 1
        assert forge.tokens == {"Bearer of-the-job"}

        (repository.folder.parent / "answer").write_text(PREVIEW.replace("~ 1 to update", "~ 2 to update"))
        again = github(repository, variables, address)["Comment"]
    assert again.stdout == "comment 121 changed https://example.com/7#1\n"
    assert len(forge.comments) == 121
    assert "~ 2 to update" in forge.comments[-1]["body"]
    assert forge.asked[-1] == "PATCH /repos/acme/monitoring/issues/comments/121"
    calls = (repository.folder.parent / "calls").read_text().splitlines()
    assert calls == ["preview --stack shop --diff --color never --non-interactive"] * 2


def test_gitlab_comments_once_and_then_changes_it(repository: Repository, variables: dict[str, str]) -> None:
    job = load((CI / "gitlab-ci.yml").read_text())["observatory-review"]
    forge = Forge([])
    with serving(forge) as address:
        own = {
            **variables,
            **{key: value for key, value in job["variables"].items() if key != "PULUMI_BACKEND_URL"},
            "STACKS": "shop",
            "GITLAB_CI": "true",
            "CI_API_V4_URL": address,
            "CI_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": repository.git("rev-parse", "HEAD~1").strip(),
            "COMMENT_TOKEN": "of-the-project",
        }
        # GitLab runs all lines in one shell.
        script = "\n".join(line for line in job["script"] if "validate" not in line)
        first, second = (shell(script, repository.folder, own) for _ in range(2))
    assert (first.returncode, second.returncode) == (1, 1), first.stderr
    assert (first.stdout.splitlines()[-1], second.stdout.splitlines()[-1]) == (
        "comment 1 written https://example.com/7#1",
        "comment 1 changed https://example.com/7#1",
    )
    assert forge.asked[-1] == "PUT /projects/42/merge_requests/7/notes/1"
    assert len(forge.comments) == 1
    assert "samples on disk" in forge.comments[0]["body"]
    assert forge.tokens == {"of-the-project"}
    assert {*job["artifacts"]["paths"]} == {"report.md", "preview.md"}


def test_a_preview_that_fails_is_in_the_comment(repository: Repository, variables: dict[str, str]) -> None:
    home = repository.folder.parent
    (home / "answer").write_text("Diagnostics:\n  error: stacks/Pulumi.shop.yaml: 1 problem\n")
    (home / "code").write_text("255")
    done = shell("examples/ci/preview.sh shop", repository.folder, variables)
    assert done.returncode == 1
    assert "It **failed**:" in done.stdout
    assert "error: stacks/Pulumi.shop.yaml: 1 problem" in done.stdout


def test_without_a_passphrase_there_is_no_preview(repository: Repository, variables: dict[str, str]) -> None:
    done = shell("examples/ci/preview.sh shop", repository.folder, {**variables, "PULUMI_CONFIG_PASSPHRASE": ""})
    assert (done.returncode, done.stdout) == (0, "No `pulumi preview`: this job has no passphrase.\n")
    assert (repository.folder.parent / "calls").read_text() == ""


def test_what_failed_is_in_the_comment_too(repository: Repository, variables: dict[str, str]) -> None:
    (repository.folder / "report.md").write_text("")
    forge = Forge([])
    with serving(forge) as address:
        own = {
            "GITHUB_API_URL": address,
            "GITHUB_REPOSITORY": "acme/monitoring",
            "GITHUB_TOKEN": "x",
            "PULL_REQUEST": "7",
        }
        done = shell("python3 examples/ci/comment.py report.md preview.md", repository.folder, variables | own)
    assert done.returncode == 0, done.stderr
    lines = forge.comments[0]["body"].splitlines()
    assert [line.partition(":")[0] for line in lines if line] == [
        MARKER.strip(),
        "**There is no report**",
        "**There is no preview**",
    ]


def test_an_api_that_refuses_is_told(repository: Repository, variables: dict[str, str]) -> None:
    forge = Forge([])
    forge.refuses = 403
    with serving(forge) as address:
        own = {
            "GITHUB_API_URL": address,
            "GITHUB_REPOSITORY": "acme/monitoring",
            "GITHUB_TOKEN": "x",
            "PULL_REQUEST": "7",
        }
        done = shell("python3 examples/ci/comment.py README.md", repository.folder, variables | own)
    assert done.returncode == 1
    assert "403" in done.stderr
    assert "Resource not accessible by integration" in done.stderr
    missing = shell(
        "python3 examples/ci/comment.py README.md", repository.folder, variables | {**own, "GITHUB_TOKEN": ""}
    )
    assert (missing.returncode, missing.stderr) == (
        1,
        "error: GITHUB_TOKEN is not set: give the step ${{ github.token }}\n",
    )


def test_a_comment_that_is_too_long_is_cut(repository: Repository, variables: dict[str, str]) -> None:
    (repository.folder / "report.md").write_text("a line\n" * 20_000)
    forge = Forge([])
    with serving(forge) as address:
        own = {
            "GITHUB_API_URL": address,
            "GITHUB_REPOSITORY": "acme/monitoring",
            "GITHUB_TOKEN": "x",
            "PULL_REQUEST": "7",
        }
        done = shell("python3 examples/ci/comment.py report.md", repository.folder, variables | own)
    assert done.returncode == 0, done.stderr
    body = forge.comments[0]["body"]
    assert len(body) <= 65_536
    assert body.endswith("a line\n\nToo long: cut here.\n")


@pytest.mark.parametrize("name", ["github.yml", "gitlab-ci.yml"])
def test_the_gates_name_dangers_and_nothing_floats(name: str) -> None:
    text = (CI / name).read_text()
    (gate,) = re.findall(r"FAIL_ON: (\S+)", text)
    assert {*gate.split(",")} <= {*DANGERS}
    assert [
        line for line in re.findall(r"uses: (.*)", text) if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", line)
    ] == []
    assert [
        line for line in re.findall(r"image: (.*)", text) if not re.fullmatch(r"python:\d+\.\d+\.\d+-\w+", line)
    ] == []
    assert "pull_request_target" not in text


def test_only_the_preview_sees_the_passphrase() -> None:
    steps = github_steps()
    assert [name for name, step in steps.items() if "PASSPHRASE" in str(step)] == ["Preview"]
    assert [name for name, step in steps.items() if "github.token" in str(step)] == ["Comment"]
    workflow = load((CI / "github.yml").read_text())
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert [name for name, step in steps.items() if "${{" in step["run"]] == [], (
        "values come by variables, never pasted"
    )


def test_actionlint_has_nothing_against_it() -> None:
    actionlint = programs.find("actionlint")
    assert actionlint, "actionlint is needed: make test readies it"
    done = subprocess.run([actionlint, CI / "github.yml"], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, "")
