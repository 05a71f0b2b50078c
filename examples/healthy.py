"""`python -m examples.healthy URL`: exits with 0 if that answers with a success. A health check without a shell."""

from __future__ import annotations

import sys
import urllib.request


def main() -> int:
    """0 or 1."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=3):
            return 0
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
