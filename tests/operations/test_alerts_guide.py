"""The page of alerts is made from the catalogue and current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.catalogue import all_alerts
from operations.guides import alerts as alerts_guide
from operations.guides.alerts import guide_command, guide_text


def test_the_page_is_current() -> None:
    assert guide_command(check=True) == 0, "run ./observatory schema"


def test_every_alert_has_a_row_with_its_page_dashboard_and_tests() -> None:
    rows = dict(re.findall(r"^\| \[(\w+)\]\(../../runbooks/\w+\.md\) \| (.*) \|$", guide_text(), re.MULTILINE))
    assert set(rows) == set(all_alerts())
    for name, row in rows.items():
        cells = [cell.strip() for cell in row.split(" | ")]
        assert len(cells) == 7, name
        assert re.match(r"\[[1-9]\d* firing, \d+ quiet\]", cells[-1]), name
        assert all(cells[index] for index in (0, 2, 3, 4, 5)), name


def test_numbers_stand_with_their_units() -> None:
    (row,) = (line for line in guide_text().splitlines() if line.startswith("| [APIHighErrorRate]"))
    assert "`threshold: 1%`" in row
    assert "| critical | availability |" in row


def test_labels_in_texts_are_placeholders() -> None:
    assert "{{" not in re.sub(r"^```.*?^```", "", guide_text(), flags=re.DOTALL | re.MULTILINE)
    assert "&lt;instance&gt; of &lt;service&gt; is down" in guide_text()


def test_a_page_that_fell_behind_is_said_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "alerts.md"
    monkeypatch.setattr(alerts_guide, "GUIDE_FILE", page)
    page.write_text("old")
    assert guide_command(check=True) == 1
    assert guide_command(check=False) == 0
    assert page.read_text() == guide_text()
    assert guide_command(check=True) == 0
