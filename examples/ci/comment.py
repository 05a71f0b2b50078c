"""Posts Markdown as one comment on a pull request or merge request: the next run changes it, and adds no other.

    python3 examples/ci/comment.py FILE...

The files are put after one another; in place of one that is missing or empty stands that its step failed. On GitHub it
needs GITHUB_TOKEN (with `pull-requests: write`) and PULL_REQUEST, its number; on GitLab COMMENT_TOKEN, a project access
token with scope `api` and role Reporter, for job tokens may not comment. All else is in the variables that each CI sets
for a job. Standard library only: it runs before there is a `.venv`, too.
"""
# ruff: noqa: INP001

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = "<!-- observatory review -->"
"""The first line of the comment, by which it is found again; invisible when it is rendered."""
MOST = {"github": 65_536, "gitlab": 1_000_000}
"""Characters of a comment."""
PATIENCE = 30
"""Seconds for an answer."""
PAGE = 100


@dataclass(frozen=True)
class Forge:
    """Where comments are, and who asks. `edit` is the address of one comment, without its id."""

    kind: str
    comments: str
    edit: str
    headers: dict[str, str]
    method: str

    def ask(self, method: str, url: str, data: dict[str, str] | None = None) -> Any:
        """The answer as data. An address that refuses ends it with the reason."""
        body = json.dumps(data).encode() if data else None
        request = urllib.request.Request(url, body, {**self.headers, "Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read(500).decode(errors="replace")
            raise SystemExit(f"error: {method} {url}: {error.code} {error.reason}: {said}") from None
        except OSError as error:
            raise SystemExit(f"error: {method} {url}: {error}") from None

    def every(self) -> Iterator[dict[str, Any]]:
        """All comments, page by page."""
        page = 1
        while found := self.ask("GET", f"{self.comments}?per_page={PAGE}&page={page}"):
            yield from found
            if len(found) < PAGE:
                return
            page += 1


def variable(name: str, why: str) -> str:
    """A variable that has to be there."""
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"error: {name} is not set: {why}")
    return value


def forge() -> Forge:
    """GitHub or GitLab, by the variables that they set for every job."""
    if os.environ.get("GITLAB_CI"):
        project = (
            f"{variable('CI_API_V4_URL', 'GitLab sets it')}/projects/{variable('CI_PROJECT_ID', 'GitLab sets it')}"
        )
        notes = f"{project}/merge_requests/{variable('CI_MERGE_REQUEST_IID', 'run it for merge requests')}/notes"
        token = variable("COMMENT_TOKEN", "a project access token with scope `api`, as a masked variable")
        return Forge("gitlab", notes, notes, {"PRIVATE-TOKEN": token}, "PUT")
    issues = (
        f"{variable('GITHUB_API_URL', 'GitHub sets it')}/repos/{variable('GITHUB_REPOSITORY', 'GitHub sets it')}/issues"
    )
    headers = {
        "Authorization": f"Bearer {variable('GITHUB_TOKEN', 'give the step ${{ github.token }}')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    number = variable("PULL_REQUEST", "give the step ${{ github.event.number }}")
    return Forge("github", f"{issues}/{number}/comments", f"{issues}/comments", headers, "PATCH")


def text_of(files: list[str], most: int) -> str:
    """The comment: the marker, then all files, cut where the forge would refuse it."""
    parts = []
    for path in map(Path, files):
        text = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        parts.append(text or f"**There is no {path.stem}**: its step failed, and the log of this run tells why.")
    text = "\n\n".join([MARKER, *parts])
    return text if len(text) <= most else text[: most - 40].rpartition("\n")[0] + "\n\nToo long: cut here.\n"


def main(files: list[str]) -> int:
    """Change the comment that is there, or write the first one. Prints its address."""
    if not files:
        print("usage: comment.py FILE...", file=sys.stderr)
        return 2
    place = forge()
    body = {"body": text_of(files, MOST[place.kind])}
    old = next((each for each in place.every() if str(each.get("body", "")).startswith(MARKER)), None)
    if old:
        answer = place.ask(place.method, f"{place.edit}/{old['id']}", body)
    else:
        answer = place.ask("POST", place.comments, body)
    print(f"comment {answer['id']} {'changed' if old else 'written'} {answer.get('html_url', '')}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
