"""`python3 -m toolchain`: gets a machine ready for a purpose and runs commands in the right environment.

Runs before there is a `.venv`, so with the standard library alone.
"""

from __future__ import annotations

import sys
import threading
import time

if sys.version_info < (3, 11):  # noqa: UP036 - nothing has checked it before us
    sys.exit("error: Python 3.11 or newer is needed; this is " + sys.version.split()[0])

import argparse
import json
import os
import signal
from types import FrameType

from toolchain import children, environment, ready, venv
from toolchain.interrupts import on_interrupt
from toolchain.machine import ToolchainError
from toolchain.progress import Progress

_INTERRUPTED = 130
_PATIENCE_SECONDS = 20.0  # longer than cleaning up may take


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m toolchain",
        description="Readies what is missing: used if on this machine and new enough, else downloaded, else built.",
    )
    commands = parser.add_subparsers(dest="action", required=True)
    parts = {
        "ready": commands.add_parser("ready", help="ready what a purpose needs"),
        "exec": commands.add_parser("exec", help="ready it, then run a command with the right environment"),
    }
    for part in parts.values():
        part.add_argument("--for", dest="purpose", choices=ready.PURPOSES, default="all", help="default: all")
        part.add_argument("--retry", action="store_true", help="try again to pull images that failed within an hour")
    parts["ready"].add_argument("--json", action="store_true", help="print the result as JSON")
    parts["exec"].add_argument("command", nargs=argparse.REMAINDER, metavar="-- command ...")
    commands.add_parser("env", help='print it for a shell: eval "$(python3 -m toolchain env)"')
    return parser.parse_args()


def _ready(options: argparse.Namespace, progress: Progress) -> int:
    result = ready.make_ready(ready.PURPOSES[options.purpose], progress, options.retry)
    progress.close()
    for error in result.errors:
        progress.error(error)
    if options.json:
        programs = {name: str(file) for name, file in result.programs.items()}
        report = {
            "ready": not result.errors,
            "programs": programs,
            "images": result.images,
            "steps": progress.finished,
            "errors": result.errors,
        }
        print(json.dumps(report, indent=2))
    return 1 if result.errors else 0


def _exec(options: argparse.Namespace, progress: Progress) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise ToolchainError("no command given; write it after `--`")
    result = ready.make_ready(ready.PURPOSES[options.purpose], progress, options.retry)
    progress.close()
    if result.errors:
        for error in result.errors:
            progress.error(error)
        return 1
    values = {**os.environ, **environment.variables(os.environ, result.programs, ready.docker_host())}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, values)  # noqa: S606 - the user's own command
    except OSError as error:
        raise ToolchainError(f"`{command[0]}` cannot be started: {error.strerror}") from error


def _env(progress: Progress) -> int:
    if not venv.is_ready():
        raise venv.missing_error()
    print(environment.export_lines(environment.variables(os.environ, ready.find_ready(progress), ready.docker_host())))
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    threading.Thread(target=_end_anyway, daemon=True).start()
    raise KeyboardInterrupt


def _end_anyway() -> None:
    """Ends the process where the exception got lost, as in a callback whose errors Python only reports."""
    time.sleep(_PATIENCE_SECONDS)
    ending = threading.Thread(target=children.kill_all, daemon=True)
    ending.start()
    ending.join(_PATIENCE_SECONDS / 2)
    os.write(2, b"error: interrupted; run it again to go on\n")
    os._exit(_INTERRUPTED)


def main() -> int:
    """Runs one command; returns its exit code: 0, 1 when something is missing, 130 when interrupted."""
    options = _arguments()
    progress = Progress()
    on_interrupt(_interrupt)
    try:
        if options.action == "ready":
            return _ready(options, progress)
        return _exec(options, progress) if options.action == "exec" else _env(progress)
    except ToolchainError as error:
        progress.close()
        progress.error(str(error))
        return 1
    except (KeyboardInterrupt, children.Interrupted):
        progress.close()
        progress.error("interrupted; run it again to go on")
        sys.stderr.flush()
        os._exit(_INTERRUPTED)  # a thread may still wait for a site that sends nothing; nobody should wait for it


if __name__ == "__main__":
    sys.exit(main())
