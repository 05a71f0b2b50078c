"""The commands of `migrate`: read one origin, write the folder, say what became of each item."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from components.config import StackFileError, parse_stack
from operations import console
from operations.errors import CommandError, UsageError
from operations.migrate.cloudwatch.origin import Account
from operations.migrate.output import REPORT, Bundle, writable, write
from operations.migrate.report import Outcome

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def run(origin: str, environment: str, out: Path, force: bool, as_json: bool, read: Callable[[Bundle], None]) -> int:
    """Migrate by `read`, which fills the bundle, and write what it has found; nothing where that is an error."""
    if not _NAME.fullmatch(environment):
        raise UsageError(f"--env {environment} is no name", "lower-case letters, digits and single hyphens: prod")
    writable(out, force)
    bundle = Bundle(environment, origin)
    read(bundle)
    if not bundle.report.useful():
        reasons = [f"{item.file}: {item.detail}" for item in bundle.report.items[:5]]
        more = f"\nand {len(bundle.report.items) - 5} more" if len(bundle.report.items) > 5 else ""
        message = "\n".join(["there is nothing in it that could be migrated; nothing was written", *reasons]) + more
        raise CommandError(message, "see docs/guide/migrate.md for what each origin takes")
    try:
        parse_stack(bundle.whole_stack(), f"Pulumi.{environment}.yaml")
    except StackFileError as error:
        raise CommandError(f"what would be written is not valid, which is a mistake in `migrate`: {error}") from None
    written = write(bundle, out)
    if as_json:
        console.print_json({**bundle.as_json(), "files": written, "out": str(out)})
        return 0
    _tell(bundle, out, written)
    return 0


def _tell(bundle: Bundle, out: Path, written: Sequence[str]) -> None:
    colours = {Outcome.CARRIED: "green", Outcome.APPROXIMATED: "yellow", Outcome.IMPOSSIBLE: "red"}
    for outcome, number in bundle.report.count().items():
        console.say(f"{console.paint(f'{number:6}', colours[outcome])} {outcome}")
    console.say(f"{len(written)} files in {out}; {out / REPORT} says what became of each item")
    stack = out / f"Pulumi.{bundle.environment}.yaml"
    for secret in bundle.secrets:
        console.note(f"set the secret {secret.name}: its value was in {secret.where}")
    for note in bundle.notes:
        console.note(note)
    console.note(f"next: ./observatory validate {stack}")


def compose_command(source: Path, out: Path, environment: str, team: str, force: bool, as_json: bool) -> int:
    """A docker-compose file of a monitoring stack."""
    from operations.migrate.compose import migrate_compose

    return run(f"{source.name}", environment, out, force, as_json, lambda bundle: migrate_compose(bundle, source, team))


def values_command(
    source: Path, out: Path, environment: str, team: str, context: str | None, force: bool, as_json: bool
) -> int:
    """Values of kube-prometheus-stack."""
    from operations.migrate.kube_prometheus_stack import migrate_values

    def read(bundle: Bundle) -> None:
        migrate_values(bundle, source, context, team)

    return run(f"kube-prometheus-stack ({source.name})", environment, out, force, as_json, read)


def grafana_command(
    sources: Sequence[Path], out: Path, environment: str, folder: str, force: bool, as_json: bool
) -> int:
    """Dashboards of a Grafana."""
    from operations.migrate.grafana.boards import migrate_board, safe_folder
    from operations.migrate.sources import json_files, read_json

    def read(bundle: Bundle) -> None:
        for path, name in json_files(sources):
            migrate_board(bundle, read_json(path, name), safe_folder(folder))

    return run("Grafana", environment, out, force, as_json, read)


def datadog_command(
    sources: Sequence[Path], out: Path, environment: str, team: str, folder: str, force: bool, as_json: bool
) -> int:
    """Dashboards and monitors of Datadog."""
    from operations.migrate.datadog.dashboards import migrate_dashboard
    from operations.migrate.datadog.monitors import Monitors, is_monitor
    from operations.migrate.grafana.boards import safe_folder
    from operations.migrate.sources import json_files, read_json

    def read(bundle: Bundle) -> None:
        monitors = Monitors(bundle, team)
        for path, name in json_files(sources):
            root = read_json(path, name)
            if is_monitor(root.value):
                monitors.add(root)
            else:
                migrate_dashboard(bundle, root, safe_folder(folder))
        monitors.finish()

    return run("Datadog", environment, out, force, as_json, read)


def cloudwatch_command(account: Account, out: Path, environment: str, team: str, force: bool, as_json: bool) -> int:
    """Alarms of CloudWatch, and what it remembers."""
    from operations.migrate.cloudwatch.origin import migrate_cloudwatch

    def read(bundle: Bundle) -> None:
        migrate_cloudwatch(bundle, account, team)

    return run("CloudWatch", environment, out, force, as_json, read)
