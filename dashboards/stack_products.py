"""Rows of the stack's dashboard for products that a stack may leave out; they are empty where it does."""

from dashboards.board import Board
from dashboards.panels import graph, listing
from dashboards.style import YELLOW, Link, Query, rate, share

_ENV = 'environment=~"$environment"'
_ANY = f'job=~"$job", {_ENV}'
_JAEGER = f'job="jaeger", {_ENV}'
_GRAFANA = f'job="grafana", {_ENV}'
_PROBE = f'job="probe", {_ENV}'
_CONTAINER = f'job="cadvisor", name!="", {_ENV}'


def traces(board: Board) -> None:
    """Spans on their way through Jaeger; its counters go through rules/jaeger.yaml, which gives them one name."""
    board.row("Traces (with Jaeger)")
    board.add(
        graph(
            "Spans received",
            "Spans per second that each receiver accepted and refused, over 5 minutes.",
            "cps",
            Query(f"instance_receiver:otelcol_receiver_accepted_spans:rate5m{{{_JAEGER}}}", "{{receiver}} accepted"),
            Query(f"instance_receiver:otelcol_receiver_refused_spans:rate5m{{{_JAEGER}}}", "{{receiver}} refused"),
        ),
    )
    board.add(
        graph(
            "Spans written",
            "Spans per second that each exporter wrote and failed to write, over 5 minutes.",
            "cps",
            Query(f"instance_exporter:otelcol_exporter_sent_spans:rate5m{{{_JAEGER}}}", "{{exporter}} written"),
            Query(f"instance_exporter:otelcol_exporter_send_failed_spans:rate5m{{{_JAEGER}}}", "{{exporter}} failed"),
        ),
    )
    board.add(
        graph(
            "Memory of Jaeger",
            "Resident memory. With storage in memory it grows until the largest number of traces is kept.",
            "bytes",
            Query(
                f"otelcol_process_memory_rss_bytes{{{_JAEGER}}} or otelcol_process_memory_rss{{{_JAEGER}}}",
                "{{instance}}",
            ),
        ),
    )


def pages(board: Board) -> None:
    """How Grafana serves its own pages."""
    every = f"sum by (instance) ({rate('grafana_http_request_duration_seconds_count', _GRAFANA)})"
    failed = f'{_GRAFANA}, status_code=~"5.."'
    board.row("Pages (with Grafana)")
    board.add(
        graph(
            "Requests to Grafana",
            "Requests per second that Grafana answered.",
            "reqps",
            Query(every, "{{instance}}"),
        ),
        width=12,
        height=6,
    )
    board.add(
        graph(
            "Failed requests to Grafana",
            "Share of requests that ended with a server error: pages and panels that people do not get to see.",
            "percentunit",
            Query(
                share(f"sum by (instance) ({rate('grafana_http_request_duration_seconds_count', failed)})", every),
                "{{instance}}",
            ),
            limits=[board.limit("GrafanaRequestsFailing")],
        ),
        width=12,
        height=6,
    )


def probes(board: Board) -> None:
    """What blackbox exporter sees from outside."""
    board.row("Probes (with blackbox exporter)")
    board.add(
        graph(
            "Probes that succeed",
            "1 while a probe succeeds, 0 while it fails.",
            "short",
            Query(f"probe_success{{{_PROBE}}}", "{{probe}} {{instance}}"),
            most=1,
        )
    )
    board.add(
        graph(
            "Probe duration",
            "Time that a probe takes, from name resolution to the last byte.",
            "s",
            Query(f"probe_duration_seconds{{{_PROBE}}}", "{{probe}} {{instance}}"),
            limits=[board.limit("ProbeSlow")],
        )
    )
    board.add(
        listing(
            "Certificates",
            "Time until the first certificate of the chain expires.",
            "s",
            Query(f"probe_ssl_earliest_cert_expiry{{{_PROBE}}} - time()"),
            columns=["probe", "instance"],
            value="expires in",
            ascending=True,
            limits=[
                board.limit("CertificateExpiryCritical", below=True),
                board.limit("CertificateExpiringSoon", YELLOW, below=True),
            ],
            link=Link("This probe", "probes", "probe"),
        )
    )


def containers(board: Board) -> None:
    """Containers as cAdvisor sees them, and programs as they see themselves."""
    board.row("Containers (with cAdvisor) and processes")
    board.add(
        graph(
            "Memory against limit",
            "Share of its memory limit that a container uses. Containers without a limit are left out.",
            "percentunit",
            Query(
                f"instance_name:container_memory_working_set:ratio_limit{{{_CONTAINER}}}",
                "{{name}}",
            ),
            limits=[board.limit("HighMemoryUsage")],
            link=Link("This container", "containers", "name"),
            most=1,
        )
    )
    board.add(
        graph(
            "Processors used",
            "Processors that a container keeps busy.",
            "short",
            Query(f"sum by (name) ({rate('container_cpu_usage_seconds_total', _CONTAINER)})", "{{name}}"),
        )
    )
    throttled = rate("container_cpu_cfs_throttled_periods_total", _CONTAINER)
    periods = rate("container_cpu_cfs_periods_total", _CONTAINER)
    board.add(
        graph(
            "Held back by the CPU limit",
            "Share of scheduling periods in which a container waited for its CPU limit.",
            "percentunit",
            Query(f"sum by (name) ({throttled}) / (sum by (name) ({periods}) > 0)", "{{name}}"),
            limits=[board.limit("ContainerCPUThrottled")],
            link=Link("This container", "containers", "name"),
            most=1,
        )
    )
    board.add(
        graph(
            "Memory of processes",
            "Resident memory of each program that tells it, without cAdvisor.",
            "bytes",
            Query(f"sum by (job) (process_resident_memory_bytes{{{_ANY}}})", "{{job}}"),
        ),
    )
    board.add(
        graph(
            "Processor time of processes",
            "Processors that each program keeps busy, without cAdvisor.",
            "short",
            Query(f"sum by (job) ({rate('process_cpu_seconds_total', _ANY)})", "{{job}}"),
        ),
    )
    board.add(
        graph(
            "Open files of processes",
            "Share of the files and connections that each program may open; at 100 % it can accept no more.",
            "percentunit",
            Query(f"max by (job) (process_open_fds{{{_ANY}}} / (process_max_fds{{{_ANY}}} > 0))", "{{job}}"),
            limits=[board.limit("TargetFileDescriptorsLow")],
            most=1,
        )
    )
