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

from components.catalogue import ROOT
from operations.errors import CommandError, UsageError
from operations.pages.dashboards import dashboards_command

IMAGES = ROOT / "docs" / "images"
PICTURES = {
    "red": ("dashboard.png", 745),
    "alerts": ("alerts.png", 930),
    "node": ("node.png", 720),
    "stack": ("stack-dashboard.png", 665),
}
"""Name of a dashboard in the stack file to the picture of its page's top, and how much of it: whole rows, in pixels."""
WIDTH = 1300
SECONDS = 60


def picture(browser: str, page: Path, file: Path, height: int) -> None:
    """Draw the top of a page as PNG, `height` pixels of it. Raises `CommandError` where the browser fails."""
    command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{height}"]
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
        for dashboard, (name, height) in PICTURES.items():
            picture(browser, Path(folder, f"{dashboard}.html"), IMAGES / name, height)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
