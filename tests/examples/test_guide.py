"""The guide quotes the examples: each block of code is a region of a file, word by word."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.catalogue import EXPOSED, rule_file
from examples.exporter.values import Values
from examples.shop.shop import FAULTS
from examples.traffic.switch import OWN

ROOT = Path(__file__).resolve().parents[2]
GUIDE, DEMO = ROOT / "docs" / "guide" / "instrumentation.md", ROOT / "docs" / "guide" / "demo.md"
_QUOTE = re.compile(r"^<!-- (?P<file>\S+)#(?P<region>\S+) -->\n(?:\n```\w+\n.*?\n```\n)?", re.MULTILINE | re.DOTALL)
_LANGUAGES = {".py": "python", ".js": "javascript"}


def region(file: str, name: str) -> str:
    """The lines between the marks, without the indentation that they share."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    marks = [number for number, line in enumerate(lines) if re.fullmatch(rf"\s*(#|//) (end)?region: {name}", line)]
    assert len(marks) == 2, f"{file} has no region {name}, or more than one"
    return textwrap.dedent("\n".join(lines[marks[0] + 1 : marks[1]])).strip("\n")


def quoted(text: str) -> str:
    """The guide with every block as the files have it."""

    def block(match: re.Match[str]) -> str:
        language = _LANGUAGES[Path(match["file"]).suffix]
        code = region(match["file"], match["region"])
        return f"<!-- {match['file']}#{match['region']} -->\n\n```{language}\n{code}\n```\n"

    return _QUOTE.sub(block, text)


def test_the_guide_quotes_the_examples(pytestconfig: pytest.Config) -> None:
    """`pytest tests/examples/test_guide.py --update-golden` writes the blocks anew."""
    text = GUIDE.read_text(encoding="utf-8")
    if pytestconfig.getoption("--update-golden"):
        GUIDE.write_text(quoted(text), encoding="utf-8")
        return
    assert text == quoted(text)
    marked = {match.end() for match in _QUOTE.finditer(text)}
    blocks = {
        match.end() for match in re.finditer(r"^```(?:python|javascript)\n.*?\n```\n", text, re.MULTILINE | re.DOTALL)
    }
    assert blocks == marked, "code that no file has"


def all_regions() -> Iterator[str]:
    for folder in (ROOT / "examples", ROOT / "tests" / "examples"):
        for file in sorted(folder.rglob("*")):
            if file.suffix in _LANGUAGES and "node_modules" not in file.parts:
                for name in re.findall(r"^\s*(?:#|//) region: (\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
                    yield f"{file.relative_to(ROOT).as_posix()}#{name}"


def test_every_region_is_quoted() -> None:
    found = {f"{match['file']}#{match['region']}" for match in _QUOTE.finditer(GUIDE.read_text(encoding="utf-8"))}
    assert found == set(all_regions())


@pytest.mark.parametrize("page", [GUIDE, DEMO], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_faults_of_the_guide_are_those_there_are() -> None:
    text = DEMO.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([a-z-]+)` \| [A-Z][^|]* \| [A-Z]", text, re.MULTILINE))
    assert listed == {*FAULTS, *OWN, *Values().faults.known}


def test_the_alerts_of_the_guide_are_those_there_are() -> None:
    rows = re.findall(r"^\| `[a-z-]+` \|.*\| (.*) \|$", DEMO.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"\b[A-Z]\w{7,}", row)}
    files = [rule_file(subject) for subject in EXPOSED]
    known = {rule.get("alert") for file in files if file for rule in file.rules()}
    assert named
    assert named <= known
