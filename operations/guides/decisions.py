"""docs/adr/README.md: the list of all decisions."""

from __future__ import annotations

from components.catalogue import ROOT
from operations.guides.page import keep_current

GUIDE_FILE = ROOT / "docs" / "adr" / "README.md"

INTRO = """\
# Decisions

<!-- Made from the pages beside it by `./observatory schema`. -->

One page for each decision that others will ask about: what it was about, what was decided, what follows from it.
"""


def guide_text() -> str:
    """The whole page."""
    lines = []
    for page in sorted(GUIDE_FILE.parent.glob("[0-9]*.md")):
        number, _, title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").partition(". ")
        lines.append(f"{number}. [{title}]({page.name})")
    return "\n".join((INTRO, *lines, ""))


def guide_command(check: bool) -> int:
    """Write the page; with `check` only say whether it is current."""
    return keep_current(GUIDE_FILE, guide_text(), check)
