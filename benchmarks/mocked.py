"""Runs this project's Pulumi program against Pulumi's mock engine: `python -m benchmarks.mocked STACK < object.json`.

That is the program's own part of a preview, without Pulumi's command and plugins. So a stack whose provider plugin is
not on this machine can be measured as well. Without STACK, the program is an empty one. Prints what it took as JSON.
"""

from __future__ import annotations

import json
import runpy
import sys
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockResourceArgs, Mocks

from benchmarks.peak import peak_mebibytes


class _Engine(Mocks):
    """Takes every resource for what its inputs say."""

    def __init__(self) -> None:
        self.resources = 0

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources += 1
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: Any) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return dict(args.args), None


def main() -> None:
    """One run in this process; what is imported is part of it, as in a preview."""
    stack = sys.argv[1] if len(sys.argv) > 1 else ""
    engine = _Engine()

    def program() -> None:
        if stack:
            runpy.run_path("__main__.py", run_name="__main__")

    pulumi.runtime.set_mocks(engine, project="observatory", stack=stack or "empty", preview=True)
    if stack:
        pulumi.runtime.set_all_config({"observatory:stack": sys.stdin.read()}, [])
    run: Any = pulumi.runtime.test
    run(program)()
    print(json.dumps({"resources": engine.resources, "mebibytes": peak_mebibytes()}))


if __name__ == "__main__":
    main()
