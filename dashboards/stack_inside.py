"""What goes wrong inside Prometheus and Alertmanager while they still answer."""

from dashboards.board import Board
from dashboards.panels import graph
from dashboards.style import Query

_ENV = 'environment=~"$environment"'
_PROMETHEUS = f'job="prometheus", {_ENV}'
_ALERTMANAGER = f'job="alertmanager", {_ENV}'


def inside(board: Board) -> None:
    """Counts of rare events, so over half an hour; nothing is drawn above zero while all is well."""
    board.row("Inside Prometheus and Alertmanager")
    for title, description, job, counters in (
        (
            "Storage failures",
            "Failed reads and compactions of blocks, failed writes and repairs of the log of changes, in 30 minutes.",
            _PROMETHEUS,
            {
                "prometheus_tsdb_reloads_failures_total": "blocks not read",
                "prometheus_tsdb_compactions_failed_total": "compactions",
                "prometheus_tsdb_wal_corruptions_total": "log repaired",
                "prometheus_tsdb_wal_writes_failed_total": "log writes",
                "prometheus_tsdb_wal_truncations_failed_total": "log truncations",
                "prometheus_tsdb_checkpoint_creations_failed_total": "checkpoints",
            },
        ),
        (
            "Discovery failures",
            "Times that targets could not be found, or not be taken up as the configuration says, in 30 minutes.",
            _PROMETHEUS,
            {
                "prometheus_sd_refresh_failures_total": "discovery",
                "prometheus_target_sync_failed_total": "taken up",
            },
        ),
        (
            "Samples and scrapes refused",
            "Scrapes above a limit of their job, and samples out of order, too old or there twice, in 30 minutes.",
            _PROMETHEUS,
            {
                "prometheus_target_scrapes_exceeded_sample_limit_total": "sample limit",
                "prometheus_target_scrapes_exceeded_body_size_limit_total": "size limit",
                "prometheus_target_scrape_pool_exceeded_target_limit_total": "target limit",
                "prometheus_target_scrape_pool_exceeded_label_limits_total": "label limits",
                "prometheus_target_scrapes_sample_out_of_order_total": "out of order",
                "prometheus_target_scrapes_sample_out_of_bounds_total": "out of bounds",
                "prometheus_target_scrapes_sample_duplicate_timestamp_total": "there twice",
            },
        ),
        (
            "State not saved",
            "Failed writes of silences and of what was sent: a restart would forget them. Counted in 30 minutes.",
            _ALERTMANAGER,
            {
                "alertmanager_silences_maintenance_errors_total": "silences",
                "alertmanager_nflog_maintenance_errors_total": "notifications",
            },
        ),
    ):
        queries = [
            Query(f"sum by (instance) (increase({counter}{{{job}}}[30m]))", f"{words} {{{{instance}}}}")
            for counter, words in counters.items()
        ]
        board.add(graph(title, description, "short", *queries))
    board.add(
        graph(
            "Alertmanagers connected",
            "Alertmanagers that each Prometheus sends to, and that each Alertmanager counts in its cluster.",
            "short",
            Query(f"prometheus_notifications_alertmanagers_discovered{{{_PROMETHEUS}}}", "{{instance}}"),
            Query(f"alertmanager_cluster_members{{{_ALERTMANAGER}}}", "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Different configurations",
            "Configurations that the Alertmanagers run with; more than one means that a reload missed some of them.",
            "short",
            Query(
                f'count(count_values("config_hash", alertmanager_config_hash{{{_ALERTMANAGER}}}))',
                "Alertmanager",
            ),
        )
    )
