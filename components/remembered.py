"""Results of slow pure functions, kept between runs: a preview is something that people wait for.

What is kept is data that JSON can hold, under the digest of everything that it was made from. So it is never stale, and
removing the folder costs nothing but the time to make it again. A folder that cannot be written to is no error.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / ".observatory" / "remembered"
_MOST = 100
"""Results of one kind; the oldest go first."""


def remembered(kind: str, made_from: Iterable[str], make: Callable[[], Any], folder: Path = FOLDER) -> Any:
    """The result of `make`, which depends on nothing but `made_from` and the code of this repository that is in it."""
    digest = hashlib.sha256()
    for part in made_from:
        digest.update(f"{len(part)}:".encode() + part.encode())
    path = folder / kind / f"{digest.hexdigest()[:32]}.json"
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    result = make()
    with suppress(OSError, TypeError, ValueError):
        text = json.dumps(result, ensure_ascii=False)
        # Keys that are no text, or tuples, would come back as something else.
        if json.loads(text) == result:
            _write(path, text)
    return result


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    kept = sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
    for old in kept[:-_MOST]:
        old.unlink(missing_ok=True)
