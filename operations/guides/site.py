"""The documents as a site: `make docs` builds it, `make docs-serve` shows it while somebody writes.

Pages link to each other, to rules and to code as they do in the repository; so the site is built from a copy of all
pages and of every file that they link to, under the paths that they have here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from components.catalogue import ROOT

WORK = ROOT / ".observatory" / "site"
SOURCE, SETTINGS = WORK / "source", ROOT / "mkdocs.yml"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "runbooks/*.md")
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """All pages, relative to the repository."""
    return sorted({path.relative_to(ROOT) for pattern in PAGES for path in ROOT.glob(pattern)})


def links(page: Path) -> Iterator[Path]:
    """What a page links to within the repository, relative to it; a folder is linked to by its README."""
    text = _CODE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        yield (ROOT / page.parent / target).resolve().relative_to(ROOT)


def gather(folder: Path = SOURCE) -> int:
    """Copy the pages and what they link to into an empty folder. Returns how many files those are."""
    shutil.rmtree(folder, ignore_errors=True)
    wanted = {*pages(), *(link for page in pages() for link in links(page) if (ROOT / link).is_file())}
    for path in wanted:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    return len(wanted)


def main(arguments: list[str]) -> int:
    """Build the site into .observatory/site/html; warnings are errors. With `serve`, show it on loopback."""
    print(f"{gather()} files")
    how = ["serve"] if arguments == ["serve"] else ["build", "--clean", "--strict"]
    return subprocess.run([sys.executable, "-m", "zensical", *how, "--config-file", SETTINGS], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
