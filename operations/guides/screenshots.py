"""Pictures of dashboards for the documents: `python -m operations.guides.screenshots STACK URL`.

STACK runs with `demo: true` for at least a quarter of an hour, so that graphs have something to show; URL is its
Prometheus'. Chromium has to be on PATH.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dashboards
from components.catalogue import ROOT
from operations.errors import CommandError, UsageError
from operations.pages.dashboards import dashboards_command

IMAGES = ROOT / "docs" / "images"
PICTURES = {"golden_signals": "dashboard.png", "slo": "objectives.png", "stack": "stack-dashboard.png"}
"""Module of a dashboard to the picture of its page."""
SIZE = "1400,1385"
SECONDS = 60


def picture(browser: str, page: Path, file: Path) -> None:
    """Draw the top of a page as PNG. Raises `CommandError` where the browser fails or takes too long."""
    command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE}"]
    command += ["--virtual-time-budget=5000", f"--screenshot={file}", page.as_uri()]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise CommandError(f"{browser} has not drawn {page.name}: {error}") from None


def main(arguments: list[str]) -> int:
    """Draw all pictures anew."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if len(arguments) != 2 or not browser:
        raise UsageError("usage: python -m operations.guides.screenshots STACK URL, with Chromium on PATH")
    with tempfile.TemporaryDirectory() as folder:
        dashboards_command(arguments[0], Path(folder), arguments[1], "15m", None, None, force=True, as_json=False)
        for module, name in PICTURES.items():
            (page,) = Path(folder).rglob(f"{dashboards.load(module).UID}.html")
            picture(browser, page, IMAGES / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
