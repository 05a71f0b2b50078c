"""Backups that are recent, whole and of the usual size; compliance that is checked, and an audit log without gaps."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number, timeline
from dashboards.style import GREEN, ORANGE, RED, SERVICE, Limit, Query, rate

UID = "backup-compliance"
TITLE = "Backup and compliance"
FOLDER = "Security"
NEEDS: frozenset[str] = frozenset()
ONE_OF = frozenset({"backup", "compliance"})

_AGE = f"time() - max by (service, backup) (backup_last_success_timestamp_seconds{{{SERVICE}}})"
_SILENT = f"time() - max by (service) (audit_log_last_event_timestamp_seconds{{{SERVICE}}})"


def _backups(board: Board) -> None:
    stale = [board.limit("BackupStale", ORANGE), board.limit("BackupStaleCritical")]
    board.row("Backups (of services that expose backup)")
    board.add(
        bars(
            "Age of the last good backup",
            "Time since a backup last succeeded: what is lost if everything is lost now. Needs backup.",
            "s",
            Query(_AGE, "{{service}} {{backup}}"),
            stale,
        )
    )
    board.add(
        graph(
            "Age over time",
            "It falls to 0 with each backup that succeeds. Needs backup.",
            "s",
            Query(_AGE, "{{service}} {{backup}}"),
            limits=stale,
        )
    )
    board.add(
        bars(
            "Time since a restore was proven",
            "A backup that nobody has restored counts for little; decades mean that it never was. Needs backup.",
            "s",
            Query(
                f"time() - max by (service, backup) (backup_last_drill_success_timestamp_seconds{{{SERVICE}}})",
                "{{service}} {{backup}}",
            ),
            [board.limit("BackupNeverRestored", ORANGE)],
        )
    )
    board.add(
        timeline(
            "Last run",
            "Whether the last run of a backup succeeded. Needs backup.",
            Query(f"min by (service, backup) (backup_last_run_success{{{SERVICE}}})", "{{service}} {{backup}}"),
            {1: ("succeeded", GREEN), 0: ("failed", RED)},
        )
    )
    board.add(
        graph(
            "Size",
            "Of the last backup that succeeded. A sudden fall means that something is no longer in it. Needs backup.",
            "bytes",
            Query(f"max by (service, backup) (backup_size_bytes{{{SERVICE}}})", "{{service}} {{backup}}"),
        ),
        width=12,
    )
    board.add(
        graph(
            "Duration",
            "How long the last run took. Needs backup.",
            "s",
            Query(
                f"max by (service, backup) (backup_last_run_duration_seconds{{{SERVICE}}})", "{{service}} {{backup}}"
            ),
        ),
        width=12,
    )


def _compliance(board: Board) -> None:
    score = board.limit("ComplianceScoreLow", below=True)
    gap = board.limit("AuditLogGap")
    board.row("Compliance (of services that expose compliance)")
    board.add(
        bars(
            "Score",
            "Share of passed checks of a framework, 0 to 100. Needs compliance.",
            "none",
            Query(f"min by (framework) (compliance_score{{{SERVICE}}})", "{{framework}}"),
            [score],
            most=100,
        ),
        width=6,
    )
    board.add(
        graph(
            "Score over time",
            "The same over time. Needs compliance.",
            "none",
            Query(f"min by (service, framework) (compliance_score{{{SERVICE}}})", "{{service}} {{framework}}"),
            limits=[score],
            most=100,
        ),
        width=6,
    )
    board.add(
        number(
            "Audit log silent for",
            "Time since the last event was written to the audit log. Needs compliance.",
            "s",
            Query(f"max({_SILENT})"),
            [gap],
        ),
        width=4,
    )
    board.add(
        listing(
            "Audit events that were lost",
            "Events that could not be written in the chosen time range. Needs compliance.",
            "short",
            Query(f"sum by (service) (increase(audit_log_write_failures_total{{{SERVICE}}}[$__range]))"),
            columns=["service"],
            value="lost",
            limits=[Limit(1)],
        ),
    )
    board.add(
        graph(
            "Audit events",
            "Events per second that belong into the audit log, by kind. Needs compliance.",
            "ops",
            Query(f"sum by (category) ({rate('audit_events_total', SERVICE)})", "{{category}}"),
            stacked=True,
        ),
        width=24,
        height=6,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(
        UID, TITLE, "Age, result and size of backups; compliance scores and the audit log.", limits, ["security"]
    )
    board.services("service:series_budget:count")
    for part in (_backups, _compliance):
        part(board)
    return board.build()
