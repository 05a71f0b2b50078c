"""The API overview's queries say what is true of requests that are known, as promtool computes it."""

from pathlib import Path

import yaml

import dashboards
from components.catalogue import rule_file
from components.rules import StackLimits
from tests.rules.promtool import run

BUILT = dashboards.load("api-overview").build(StackLimits({}))
SERIES = {
    # 10 requests a second: 9 good, 1 failed. The second service never fails, so it has no series of errors at all.
    'http_requests_total{service="shop", environment="prod", status_code="200", route="/"}': "0+540x120",
    'http_requests_total{service="shop", environment="prod", status_code="503", route="/"}': "0+60x120",
    'http_requests_total{service="blog", status_code="200", route="/"}': "0+600x120",
    # Every request of shop's / takes up to 0.1 s, every one of /slow between 0.1 and 1 s.
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/", le="0.1"}': "0+60x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/", le="1"}': "0+60x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/", le="+Inf"}': "0+60x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/slow", le="0.1"}': "0+0x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/slow", le="1"}': "0+60x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/slow", le="+Inf"}': "0+60x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/idle", le="1"}': "0+0x120",
    'http_request_duration_seconds_bucket{service="shop", environment="prod", route="/idle", le="+Inf"}': "0+0x120",
}


def test_queries_answer_what_their_panels_promise(tmp_path: Path) -> None:
    """A service without errors is at 0, an idle route is left out, "All" includes what has no environment."""
    expected = {
        "Request rate": {'{service="shop"}': 10.0, '{service="blog"}': 10.0},
        "Error rate": {'{service="shop"}': 0.1, '{service="blog"}': 0.0},
        "Current request rate": {"{}": 20.0},
        "Error budget remaining": {"{}": -49.0},  # 5 % of all requests failed, 0.1 % were allowed
        "Slowest endpoints": {'{service="shop", route="/slow"}': 0.955, '{service="shop", route="/"}': 0.095},
    }
    checks = [
        {
            "expr": f"round({_with_everything(title)}, 0.001)",
            "eval_time": "2h",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
        }
        for title, samples in expected.items()
    ]
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    path = tmp_path / "queries.yaml"
    (tmp_path / "rules.yaml").write_text(_recorded_rules())
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": checks}]
    path.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    tested = run("test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_latency_leads_to_traces() -> None:
    """Exemplars are asked for by one query only: three would show each dot three times."""
    panel = next(panel for panel in BUILT["panels"] if panel["title"] == "Response time")
    assert [target["exemplar"] for target in panel["targets"]] == [False, False, True]


def _recorded_rules() -> str:
    file = rule_file("http")
    assert file
    rules = [rule for rule in file.rules() if "record" in rule]
    return yaml.safe_dump({"groups": [{"name": "http", "rules": rules}]})


def _with_everything(title: str) -> str:
    panel = next(panel for panel in BUILT["panels"] if panel["title"] == title)
    expression: str = panel["targets"][0]["expr"]
    expression = expression.replace("$__rate_interval", "5m").replace("$__range", "1h")
    return expression.replace("$environment", ".*").replace("$service", ".*")
