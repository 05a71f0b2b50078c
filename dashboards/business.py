"""What the business does: users, money, customers, and the pipelines behind the figures.

Gauges of the whole business are the same on every instance that tells them, so the largest is taken, not the sum.
"""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number, spread, timeline
from dashboards.style import BLUE, GREEN, ORANGE, RED, SERVICE, YELLOW, Limit, Query, rate

UID = "business"
TITLE = "Business"
FOLDER = "Business"
NEEDS = frozenset({"business"})
ONE_OF: frozenset[str] = frozenset()

_PREMIUM = f'sum(max by (user_type) (business_active_users{{{SERVICE}, plan="premium"}}))'
_COUNT = "business_transaction_amount_dollars_count"


def _figures(board: Board) -> None:
    revenue = f'max by (product_line, region) (business_revenue_total_usd{{{SERVICE}, period="1d"}})'
    board.row("Figures")
    for title, description, unit, expr, limits, base in (
        (
            "Active premium users",
            "Premium users active in the last 5 minutes.",
            "short",
            _PREMIUM,
            [board.limit("LowActiveUsers", below=True)],
            GREEN,
        ),
        ("Revenue of a day", "Revenue of the last day.", "currencyUSD", f"sum({revenue})", [], BLUE),
        (
            "Monthly recurring revenue",
            "What subscriptions bring in a month.",
            "currencyUSD",
            f"sum(max by (plan, currency) (business_mrr_usd{{{SERVICE}}}))",
            [],
            BLUE,
        ),
        (
            "Churn",
            "Customers of the worst cohort who have left.",
            "percentunit",
            f"max(business_churn_rate_percentage{{{SERVICE}}}) / 100",
            [board.limit("HighChurnRate")],
            GREEN,
        ),
        (
            "Net promoter score",
            "From -100 to 100, of the least happy segment.",
            "none",
            f"min(business_nps{{{SERVICE}}})",
            [Limit(0, RED, below=True), Limit(30, YELLOW, below=True)],
            GREEN,
        ),
        (
            "Data quality",
            "Of the worst data set, 0 to 100.",
            "none",
            f"min(data_quality_score{{{SERVICE}}})",
            [board.limit("DataQualityLow", below=True)],
            GREEN,
        ),
    ):
        board.add(number(title, description, unit, Query(expr), limits, base), width=4, height=5)


def _users(board: Board) -> None:
    used = f"sum by (feature_name) ({rate('feature_usage_total', SERVICE)})"
    board.row("Users")
    board.add(
        graph(
            "Active users",
            "Users active in the last 5 minutes, by plan.",
            "short",
            Query(f"sum by (plan) (max by (plan, user_type) (business_active_users{{{SERVICE}}}))", "{{plan}}"),
            stacked=True,
        )
    )
    board.add(
        graph(
            "Sign-ups",
            "Users who signed up, per second, by where they came from.",
            "ops",
            Query(f"sum by (source) ({rate('business_user_signups_total', SERVICE)})", "{{source}}"),
            stacked=True,
        )
    )
    board.add(
        bars(
            "Features",
            "The ten features that are used most, uses per second.",
            "ops",
            Query(f"topk(10, {used})", "{{feature_name}}"),
            base=BLUE,
        )
    )


def _money(board: Board) -> None:
    cents = rate("business_revenue_by_product_cents_total", SERVICE)
    board.row("Money")
    board.add(
        graph(
            "Failed transactions",
            "Share of transactions that failed, by their number.",
            "percentunit",
            Query(f"service:business_transactions_failed:ratio_rate5m{{{SERVICE}}}", "{{service}}"),
            limits=[board.limit("HighTransactionFailureRate")],
        ),
        width=6,
    )
    board.add(
        graph(
            "Transactions",
            "Transactions per second, by payment method.",
            "ops",
            Query(f"sum by (payment_method) ({rate(_COUNT, SERVICE)})", "{{payment_method}}"),
            stacked=True,
        ),
        width=6,
    )
    board.add(
        spread(
            "Amounts",
            "Transactions per second by their amount.",
            "currencyUSD",
            Query(f"sum by (le) ({rate('business_transaction_amount_dollars_bucket', SERVICE)})"),
        ),
        width=6,
    )
    board.add(
        graph(
            "Revenue",
            "Revenue in an hour at the present pace, in each currency.",
            "short",
            Query(f"sum by (currency) ({cents}) * 36", "{{currency}}"),
        ),
        width=6,
    )


def _customers(board: Board) -> None:
    lifetime = rate("business_customer_lifetime_value_usd_bucket", SERVICE)
    board.row("Customers")
    board.add(
        graph(
            "Churn by cohort",
            "Customers of a cohort who have left; a cohort is named by its age in months.",
            "percentunit",
            Query(f"max by (plan, cohort) (business_churn_rate_percentage{{{SERVICE}}}) / 100", "{{plan}} {{cohort}}"),
            limits=[board.limit("HighChurnRate")],
        ),
        width=6,
    )
    board.add(
        bars(
            "Net promoter score by segment",
            "From -100 to 100, the latest of each segment.",
            "none",
            Query(f"min by (segment) (business_nps{{{SERVICE}}})", "{{segment}}"),
            [Limit(0, RED, below=True), Limit(30, YELLOW, below=True)],
        ),
        width=6,
    )
    board.add(
        graph(
            "Customer lifetime value",
            "What half of the customers of a segment have spent at most, of those counted lately.",
            "currencyUSD",
            Query(f"histogram_quantile(0.5, sum by (le, customer_segment) ({lifetime}))", "{{customer_segment}}"),
        ),
        width=6,
    )
    board.add(
        bars(
            "Quotas",
            "Share of its quota that the customer of a tier has used who has used most.",
            "percentunit",
            Query(
                f"max by (tier, resource) (api_quota_usage_percentage{{{SERVICE}}}) / 100",
                "{{tier}} {{resource}}",
            ),
            [board.limit("APIQuotaNearlyUsed")],
            most=1,
        ),
        width=6,
    )


def _machinery(board: Board) -> None:
    lag = rate("data_pipeline_lag_seconds_bucket", SERVICE)
    orders = rate("business_order_processing_seconds_bucket", SERVICE)
    board.row("Behind the figures")
    board.add(
        graph(
            "Order processing",
            "Time within which 95 % of orders were done, by kind.",
            "s",
            Query(f"histogram_quantile(0.95, sum by (le, order_type) ({orders}))", "{{order_type}}"),
        ),
        width=6,
    )
    board.add(
        graph(
            "Pipeline lag",
            "How far a pipeline's stage is behind at most, nine times out of ten.",
            "s",
            Query(f"histogram_quantile(0.9, sum by (le, pipeline, stage) ({lag}))", "{{pipeline}} {{stage}}"),
            limits=[board.limit("DataPipelineLagging")],
        ),
        width=6,
    )
    board.add(
        timeline(
            "Dependencies",
            "The state of each dependency.",
            Query(
                "max by (dependency) (dependency_health_status"
                f'{{{SERVICE}, dependency_health_status="degraded"}}) + 2 * max by (dependency) '
                f'(dependency_health_status{{{SERVICE}, dependency_health_status="unhealthy"}})',
                "{{dependency}}",
            ),
            {0: ("healthy", GREEN), 1: ("degraded", ORANGE), 2: ("unhealthy", RED)},
        ),
        width=6,
    )
    board.add(
        listing(
            "Data quality by data set",
            "Of each data set, 0 to 100, the worst first.",
            "none",
            Query(f"min by (dataset, dimension) (data_quality_score{{{SERVICE}}})"),
            columns=["dataset", "dimension"],
            value="score",
            ascending=True,
            limits=[board.limit("DataQualityLow", below=True)],
        ),
        width=6,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Users, money, customers, and what produces the figures.", limits, ["business"])
    board.services("business_active_users")
    for part in (_figures, _users, _money, _customers, _machinery):
        part(board)
    return board.build()
