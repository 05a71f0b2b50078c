"""The commands of `./observatory` and their options. Each imports its work only when it runs: the start stays quick."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from operations.errors import CommandError, UsageError

# Without rich: its import takes as long as planning a stack.
app = typer.Typer(
    name="observatory",
    help="Render, check, plan, verify and remove a monitoring stack.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Stack = Annotated[str, typer.Argument(help="Name of a stack (dev is stacks/Pulumi.dev.yaml), or path of a stack file.")]
Stacks = Annotated[list[str], typer.Argument(metavar="STACK...", help="Names of stacks, or paths of stack files.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
INTERRUPTED = 130


def _finish(work: Callable[[], int]) -> NoReturn:
    """Run a command; errors become a message and an exit code, and an interruption becomes 130."""
    from components.config import StackFileError

    try:
        code = work()
        sys.stdout.flush()
    except (StackFileError, CommandError) as error:
        print(error, file=sys.stderr)
        code = 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has had enough (`... | head`); nothing more can be written there, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    raise typer.Exit(code)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@app.command()
def render(
    stack: Stack,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files too.")] = False,
    manifests: Annotated[
        bool, typer.Option("--manifests", help="The Kubernetes objects instead; secrets stay placeholders.")
    ] = False,
    json: Json = False,
) -> None:
    """Write every file as it would be deployed.

    One folder per service; secrets stay placeholders.
    """
    from operations.render import render_command

    _finish(lambda: render_command(stack, out, force, json, manifests))


@app.command("keep-list")
def keep_list(
    stack: Stack,
    service: Annotated[str | None, typer.Option("--service", help="Only this service.")] = None,
    json: Json = False,
) -> None:
    """List the metrics of each service that rules and dashboards use.

    To store no others: as `keep:` of the service, or for your own Prometheus.
    """
    from operations.keep_list import keep_list_command

    _finish(lambda: keep_list_command(stack, service, json))


@app.command()
def validate(stacks: Stacks, json: Json = False) -> None:
    """Check stacks and all that is rendered from them.

    With the products' own programs; nothing is started.
    """
    from operations.validate import validate_command

    _finish(lambda: validate_command(stacks, json))


@app.command()
def plan(stack: Stack, json: Json = False) -> None:
    """Show what would be deployed.

    Services with endpoints, volumes, resources; scrape targets; secrets.
    """
    from operations.plan import plan_command

    _finish(lambda: plan_command(stack, json))


@app.command()
def size(
    stack: Stack,
    scale: Annotated[
        float, typer.Option("--scale", min=0.01, max=1_000_000, help="Times the load of the services: 2 is twice.")
    ] = 1.0,
    retention: Annotated[str | None, typer.Option("--retention", help="In place of the stack's, such as 90d.")] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", help="Scrape interval, in place of the stack's; services keep their own."),
    ] = None,
    queries: Annotated[
        float, typer.Option("--queries", min=0, max=1_000_000, help="Per second; an open dashboard is about one.")
    ] = 1.0,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=100_000, help="Machines that are watched.")] = 1,
    containers: Annotated[int, typer.Option("--containers", min=0, max=10_000, help="On each machine.")] = 30,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where there is too little.")] = False,
    json: Json = False,
) -> None:
    """Say how many series a stack has, and what Prometheus needs for them.

    Memory, CPU and disk, beside what the stack file asks for.
    """
    from components.series import Circumstances
    from operations.size import Question, size_command

    question = Question(Circumstances(scale, nodes, containers), queries, retention, interval)
    _finish(lambda: size_command(stack, question, check, json))


@app.command()
def route(
    stack: Stack,
    labels: Annotated[list[str], typer.Argument(help="Of the alert, as name=value.", metavar="LABEL=VALUE...")],
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", help="Channel that has to get it, or nobody; may be repeated. Others: exit with 1."),
    ] = None,
    json: Json = False,
) -> None:
    """Say who gets an alert, and when.

    By amtool, on what is rendered; with alertname=..., the labels of that rule are added.
    """
    from operations.route import route_command

    _finish(lambda: route_command(stack, labels, tuple(expect or ()), json))


@app.command()
def dashboards(
    stack: Stack,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help="Address of a Prometheus to take data from.")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How far back the data goes, such as 15m or 6h.")] = "1h",
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with the password of `access:`. Default: Pulumi.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="File with the CA of `access:`. Default: Pulumi.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files too.")] = False,
    json: Json = False,
) -> None:
    """Write the dashboards as pages for a browser, to look at without Grafana.

    With --prometheus they show data, and each panel without any says why.
    """
    from operations.dashboards import dashboards_command

    _finish(lambda: dashboards_command(stack, out, prometheus, since, password_file, ca_file, force, json))


@app.command()
def verify(
    stack: Stack,
    json: Json = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds to wait for what takes a moment after a start.")
    ] = 60,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report to this file too.")] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with the password of `access:`. Default: Pulumi.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="File with the CA of `access:`. Default: Pulumi.")
    ] = None,
) -> None:
    """Prove that the running stack works from end to end.

    Metrics, rules, alert delivery, traces, datasources and dashboards.
    """
    from operations.verify import verify_command

    _finish(lambda: verify_command(stack, json, timeout, junit, password_file, ca_file))


@app.command()
def certs(
    stack: Stack,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Validity of the certificates.")] = 397,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Further host name or IP address; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write files to this folder instead of Pulumi secrets.")
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option("--from", help="Folder with your own ca.crt, tls.crt and tls.key, instead of new ones."),
    ] = None,
) -> None:
    """Make or rotate the certificate of the stack's endpoints.

    A private authority signs it; all becomes Pulumi secrets of the stack.
    """
    from operations.certs import certs_command

    _finish(lambda: certs_command(stack, days, tuple(name or ()), out, own))


@app.command()
def schema(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if it is not current.")] = False,
) -> None:
    """Write what is generated from the model of a stack file and from the rules.

    stacks/schema.json, by which editors check stack files, docs/guide/stack-file.md and docs/guide/alerts.md.
    """
    from operations import alerts_guide, stack_file_guide
    from operations.schema import schema_command

    guides = (stack_file_guide.guide_command, alerts_guide.guide_command)
    _finish(lambda: max(write(check) for write in (schema_command, *guides)))


@app.command()
def recover(
    stack: Stack,
    yes: Annotated[bool, typer.Option("--yes", help="Nobody else updates this stack now; do not ask.")] = False,
) -> None:
    """Clean up after an update whose processes all died.

    After a power cut or kill -9; an update that was ended by Ctrl-C needs only the next one.
    """
    from operations.recover import recover_command

    _finish(lambda: recover_command(stack, yes))


@app.command()
def down(stack: Stack) -> None:
    """Remove a stack's containers; its data stays.

    The next `pulumi up` takes the data up again.
    """
    from operations.remove import down_command

    _finish(lambda: down_command(stack))


@app.command()
def destroy(
    stack: Stack,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Remove the volumes too: metrics, alerts and traces are gone.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove a stack with all that belongs to it.

    Refuses while there is data, unless --delete-data is given.
    """
    from operations.remove import destroy_command

    _finish(lambda: destroy_command(stack, delete_data, yes))


Place = Annotated[
    str | None, typer.Option("--to", help="A folder of the engine's machine, in place of that in the stack file.")
]
BackupPassword = Annotated[
    Path | None, typer.Option("--password-file", help="File with the password of the copies. Default: Pulumi.")
]


@app.command()
def backup(stack: Stack, to: Place = None, password_file: BackupPassword = None, json: Json = False) -> None:
    """Copy a stack's data now.

    Prometheus' samples, Alertmanager's silences, Grafana's database: encrypted, and only what is new.
    """
    from operations.backup import backup_command

    _finish(lambda: backup_command(stack, to, password_file, json))


@app.command()
def backups(
    stack: Stack,
    place: Annotated[
        str | None, typer.Option("--from", help="A folder of the engine's machine, in place of that in the stack file.")
    ] = None,
    password_file: BackupPassword = None,
    json: Json = False,
) -> None:
    """List the copies of a stack that can be restored."""
    from operations.backup import backups_command

    _finish(lambda: backups_command(stack, place, password_file, json))


@app.command()
def restore(
    stack: Stack,
    place: Annotated[
        str | None,
        typer.Argument(metavar="[FROM]", help="Folder with the copies. Default: as in the stack file."),
    ] = None,
    snapshot: Annotated[str | None, typer.Option("--snapshot", help="Id of a copy. Default: the newest.")] = None,
    into: Annotated[str | None, typer.Option("--into", help="Another stack to restore into.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In place of data that is there, which is lost.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Into a second stack beside the first; compare both, remove the second.")
    ] = False,
    password_file: BackupPassword = None,
    json: Json = False,
) -> None:
    """Put a copy back in place, or prove by a drill that it could be.

    Reads and checks every byte of the copy before anything is touched.
    """
    from operations.restore import restore_command
    from operations.restore_drill import drill_command

    if drill:
        _finish(lambda: drill_command(stack, place, snapshot, bool(into or replace), password_file, json))
    _finish(lambda: restore_command(stack, place, snapshot, into, replace, password_file, json))


def main() -> NoReturn:
    """Run one command and exit: 0 all is well, 1 something failed, 2 wrong usage, 130 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    app()
    sys.exit(0)
