"""What is asked of HTTP metrics on more than one dashboard: rate, errors and duration.

By service they are recorded by rules/http.yaml. All else sums counters and buckets before anything is divided: a mean
of ratios or quantiles would be neither.
"""

from dashboards.style import SERVICE, rate

REQUESTS = f"service:http_requests:rate5m{{{SERVICE}}}"
"""Requests per second of each service."""
FAILED = f"service:http_requests_failed:rate5m{{{SERVICE}}}"
"""Of these, those that ended with a server error; 0 where none did."""
ERROR_RATIO = f"service:http_requests_failed:ratio_rate5m{{{SERVICE}}}"
"""The share that ended with a server error."""
P50, P95, P99 = (f"service:http_request_duration_seconds:{each}_rate5m{{{SERVICE}}}" for each in ("p50", "p95", "p99"))
"""Seconds within which 50, 95 and 99 % of a service's requests were answered."""
BUCKETS = rate("http_request_duration_seconds_bucket", SERVICE)


def requests(by: str, matchers: str = SERVICE) -> str:
    """Requests per second."""
    return f"sum by ({by}) ({rate('http_requests_total', matchers)})"


def quantile(which: float, by: str = "") -> str:
    """The time in seconds within which that share of requests was answered."""
    return f"histogram_quantile({which}, sum by ({f'le, {by}' if by else 'le'}) ({BUCKETS}))"
