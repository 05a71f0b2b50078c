"""Runs one Pulumi program inside the language host and says how it ended, as the official host does."""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2


def run_program(request_bytes: bytes, engine_address: str) -> bytes:
    """Runs the program that a RunRequest names; returns a RunResponse.

    A `pulumi.RunError` is shown as its own text alone, any other exception with the part of its traceback that lies in
    the program. In both cases the answer only says that the error was shown, so the engine adds nothing to it.
    """
    request = language_pb2.RunRequest.FromString(request_bytes)
    folder = Path(request.info.program_directory or request.pwd)
    program = (folder / (request.info.entry_point or ".")).resolve()
    if program.is_dir():
        program /= "__main__.py"

    # What the program changes of this process is left changed: it is its only program.
    set_all_config(dict(request.config), list(request.configSecretKeys))
    configure(
        Settings(
            project=request.project,
            monitor=request.monitor_address,
            engine=engine_address,
            stack=request.stack,
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization or "organization",
            root_directory=request.info.root_directory,
        )
    )
    os.chdir(request.pwd or folder)
    sys.argv = [str(program), *request.args]
    sys.path.insert(0, str(program.parent))

    response = language_pb2.RunResponse()
    try:
        _run_in_event_loop(program, max(request.parallel, 1))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        response.bail = True
    except SystemExit as error:
        if error.code not in (None, 0):
            response.error = f"program exited with non-zero exit code: {error.code}"
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is shown
        pulumi.log.error("Program failed with an unhandled exception:\n" + program_traceback(error, program))
        response.bail = True
    sys.stdout.flush()
    sys.stderr.flush()
    return bytes(response.SerializeToString())


def program_traceback(error: BaseException, program: Path) -> str:
    """The traceback from the program's own first line on: the frames of Pulumi above it help nobody."""
    frames = traceback.extract_tb(error.__traceback__)
    for index, frame in enumerate(frames):
        if Path(frame.filename) == program:
            return "".join(traceback.format_exception(error, limit=index - len(frames)))
    return "".join(traceback.format_exception(error))


def _run_in_event_loop(program: Path, parallel: int) -> None:
    # A failed program leaves futures that nobody awaited; asyncio would complain about each of them.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=parallel * 4)
    loop.set_default_executor(executor)

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        loop.run_until_complete(run_in_stack(run))
    finally:
        executor.shutdown(wait=True)
        loop.close()
