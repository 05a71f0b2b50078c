"""The site of the documents: every page is on it and can be found, and every link of every page leads somewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.catalogue import ROOT
from operations.guides import site
from operations.guides.site import gather, links, pages


def named(part: Any) -> Iterator[str]:
    """The pages of the navigation."""
    if isinstance(part, str):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from named(each)


def test_every_page_is_found_by_the_navigation_or_by_the_index_of_its_folder() -> None:
    found = Counter(named(yaml.safe_load(site.SETTINGS.read_text())["nav"]))
    for folder in ("runbooks", "docs/adr"):
        found.update(str(link) for link in {*links(Path(folder, "README.md"))} if str(link.parent) == folder)
    assert sorted(found) == sorted(map(str, pages()))
    assert max(found.values()) == 1


def test_links_of_all_pages_lead_somewhere() -> None:
    broken = [f"{page}: {link}" for page in pages() for link in links(page) if not (ROOT / link).exists()]
    assert broken == []


def test_the_copy_holds_the_pages_and_what_they_link_to(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "old.md").write_text("of an earlier time")
    assert gather(folder) == len([path for path in folder.rglob("*") if path.is_file()])
    assert (folder / "docs/tutorial.md").read_text() == (ROOT / "docs/tutorial.md").read_text()
    assert (folder / "docs/images/dashboard.png").is_file()
    assert (folder / "rules/http.yaml").is_file()
    assert not (folder / "old.md").exists()
