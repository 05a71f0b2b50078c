"""`python -m examples.traffic.fault errors [off]`: switches a fault from inside of the container; alone, lists them."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

URL = "http://127.0.0.1:8003/faults"


def main() -> int:
    """0, or 1 with the reason."""
    name, off = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:] == ["off"]
    if len(sys.argv) > 2 and not off:
        print("write: fault NAME, fault NAME off, or fault alone to list them", file=sys.stderr)
        return 1
    method = "GET" if not name else "DELETE" if off else "POST"
    url = f"{URL}/{name}" if name else URL
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
            print(answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.read().decode(), file=sys.stderr)
        error.close()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
