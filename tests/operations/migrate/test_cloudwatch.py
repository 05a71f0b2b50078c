"""CloudWatch: names of metrics, metric math, alarms as rules, and history as blocks that Prometheus' own tool makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import promql_parser
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from components.yaml_text import load
from operations import programs
from operations.app import app
from operations.errors import CommandError, UsageError
from operations.migrate.cloudwatch import origin
from operations.migrate.cloudwatch.alarms import Alarms
from operations.migrate.cloudwatch.expressions import CannotSay, math, rule
from operations.migrate.cloudwatch.history import Range, openmetrics, time_range, write_blocks
from operations.migrate.cloudwatch.naming import Metric, dimension_label, metric_name
from operations.migrate.cloudwatch.origin import Account, migrate_cloudwatch
from operations.migrate.report import Node
from tests.operations.migrate.support import assert_complete, assert_valid, bundle, item, outcomes


@pytest.mark.parametrize(
    ("namespace", "metric", "statistic", "name"),
    [
        ("AWS/EC2", "CPUUtilization", "Average", "aws_ec2_cpuutilization_average"),
        ("AWS/EC2", "NetworkIn", "Sum", "aws_ec2_network_in_sum"),
        (
            "AWS/ApplicationELB",
            "HTTPCode_Target_5XX_Count",
            "Sum",
            "aws_applicationelb_httpcode_target_5_xx_count_sum",
        ),
        (
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "SampleCount",
            "aws_sqs_approximate_number_of_messages_visible_sample_count",
        ),
        ("Shop", "Orders", "p99.9", "aws_shop_orders_p99_9"),
    ],
)
def test_metrics_are_called_as_the_exporter_calls_them(namespace: str, metric: str, statistic: str, name: str) -> None:
    assert metric_name(namespace, metric, statistic) == name
    assert dimension_label("Load-Balancer") == "dimension_Load_Balancer"


def named(key: str) -> str:
    return f"sum({key})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1 / m2 * 100", "((sum(m1) / sum(m2)) * 100)"),
        ("SUM([m1, m2])", "(sum(m1) + sum(m2))"),
        ("AVG(METRICS())", "((sum(a) + sum(b)) / 2)"),
        ("FILL(m1, 0) + 1", "(((sum(m1)) or on () vector(0)) + 1)"),
        ("IF(m1 > 5, m2, 0)", "(((sum(m2)) and on () ((sum(m1) > bool 5)) != 0) or on () vector(0))"),
        ("m1 > 1 AND m2 < 2", "((sum(m1) > bool 1) * (sum(m2) < bool 2))"),
        ("-m1 ^ 2 + ABS(m2)", "(((-1 * sum(m1)) ^ 2) + abs(sum(m2)))"),
        ("m1 / PERIOD(m1)", "(sum(m1) / 60)"),
    ],
)
def test_metric_math_in_promql(text: str, expected: str) -> None:
    made = math(text, named, lambda _: ["sum(a)", "sum(b)"], 60)
    assert made == expected
    promql_parser.parse(made)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SUM(m1)", "over the whole graph"),
        ("RUNNING_SUM(m1)", "begins with the graph"),
        ("m1 +", "cannot be read"),
        ("METRICS()", "an array of metrics"),
        ("NOPE(m1)", "the function NOPE()"),
    ],
)
def test_math_that_promql_cannot_say_is_said(text: str, words: str) -> None:
    with pytest.raises(CannotSay) as caught:
        math(text, named, lambda _: ["a", "b"], 60)
    assert words in str(caught.value)


def test_rules_of_composite_alarms() -> None:
    conditions = {"a b": "x > 1", "c": "y > 1"}
    made, differs = rule('ALARM("a b") AND (NOT ALARM(c) OR OK("c"))', conditions)
    assert made == "((x > 1) and on () (absent((y > 1)) or on () absent(y > 1)))"
    assert differs
    promql_parser.parse(made)
    for text, words in (("ALARM(gone)", "alarm gone"), ("TRUE", "constant"), ("INSUFFICIENT_DATA(c)", "missing data")):
        with pytest.raises(CannotSay, match=words):
            rule(text, conditions)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch of a made-up account."""
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="eu-west-1")


def alarm(client: Any, name: str, **more: Any) -> None:
    usual = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 90.0}
    metric = {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 300}
    client.put_metric_alarm(AlarmName=name, **{**usual, **({} if "Metrics" in more else metric), **more})


def stat(key: str, metric: str, **more: Any) -> dict[str, Any]:
    found = {"Namespace": "Shop", "MetricName": metric, "Dimensions": [{"Name": "Stage", "Value": "prod"}]}
    return {"Id": key, "MetricStat": {"Metric": found, "Period": 60, "Stat": "Sum"}, "ReturnData": False, **more}


def test_alarms_of_an_account_become_rules(aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = [{"Name": "InstanceId", "Value": "i-1"}]
    topic = "arn:aws:sns:eu-west-1:1:pager"
    alarm(aws, "cpu high", Dimensions=instance, EvaluationPeriods=3, AlarmActions=[topic], AlarmDescription="Hot {{x}}")
    alarm(aws, "two of three", EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="breaching")
    alarm(
        aws,
        "math",
        Threshold=5.0,
        Metrics=[
            stat("m1", "Errors"),
            stat("m2", "Orders"),
            {"Id": "e", "Expression": "100 * m1 / m2", "ReturnData": True},
        ],
    )
    alarm(aws, "search", Metrics=[{"Id": "e", "Expression": "SEARCH('x', 'Sum', 60)", "ReturnData": True}])
    alarm(aws, "p99", Statistic="Average", AlarmActions=["arn:aws:automate:eu-west-1:ec2:reboot"])
    # The made-up account knows no composite alarms, so one is put into its answer.
    answered = {"CompositeAlarms": [{"AlarmName": "both", "AlarmRule": 'ALARM("cpu high") AND ALARM("math")'}]}
    monkeypatch.setattr(origin, "_described", lambda client: {**aws.describe_alarms(), **answered})
    made = bundle()
    migrate_cloudwatch(made, Account(region="eu-west-1"), "platform")
    assert outcomes(made.report, "alarm") == {
        "cpu high": "approximated",
        "two of three": "approximated",
        "math": "approximated",
        "search": "not possible",
        "p99": "approximated",
        "both": "approximated",
    }
    rules = {rule["alert"]: rule for rule in made.rules["cloudwatch-alarms"][0]["rules"]}
    high = rules["CpuHigh"]
    assert high["expr"] == 'aws_ec2_cpuutilization_average{dimension_InstanceId="i-1"} > 90'
    assert high["for"] == "10m"
    assert high["annotations"]["description"] == "Hot (x) The value is {{ $value }}."
    assert item(made.report, "cpu high").todo == "route it to whom pager called"
    counted = "sum_over_time((aws_ec2_cpuutilization_average > bool 90)[15m:300s]) >= 2"
    assert rules["TwoOfThree"]["expr"] == f"({counted}) or absent(aws_ec2_cpuutilization_average)"
    errors, orders = (f'sum(aws_shop_{name}_sum{{dimension_Stage="prod"}})' for name in ("errors", "orders"))
    assert rules["Math"]["expr"] == f"((100 * {errors}) / {orders}) > 5"
    assert rules["Both"]["expr"] == f"(({high['expr']}) and on () ({rules['Math']['expr']}))"
    assert "ec2:reboot" in item(made.report, "p99").detail
    exporter = load(made.extra["cloudwatch-exporter/config.yml"])
    assert [job["metrics"][0]["name"] for job in exporter["static"]] == [
        "CPUUtilization",
        "CPUUtilization",
        "Errors",
        "Orders",
    ]
    assert made.stack["services"][0]["name"] == "cloudwatch"
    assert_valid(made, tmp_path / "out")


def test_a_file_of_describe_alarms_needs_no_account(tmp_path: Path) -> None:
    found = {
        "MetricAlarms": [{"AlarmName": "x", "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold"}, 3],
        "More": 1,
    }
    (tmp_path / "alarms.json").write_text(json.dumps(found))
    made = bundle()
    migrate_cloudwatch(made, Account(source=tmp_path / "alarms.json"), "platform")
    assert_complete(made.report, Node("alarms.json", (), found))
    assert [str(each.outcome) for each in made.report.items] == ["not possible"] * 3


END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
START = END - timedelta(hours=6)


@pytest.fixture
def orders(aws: Any) -> Any:
    """An account that remembers six hours of one metric, a value each five minutes."""
    for minute in range(0, 360, 5):
        data = {"MetricName": "Orders", "Dimensions": [{"Name": "Stage", "Value": "prod"}], "Value": float(minute)}
        aws.put_metric_data(Namespace="Shop", MetricData=[data | {"Timestamp": START + timedelta(minutes=minute)}])
    return aws


def migrated(out: Path, *more: str) -> tuple[int, str]:
    """Exit code and output of the command, which asks for the history of those six hours."""
    when = ("--start", START.isoformat(), "--end", END.isoformat(), "--region", "eu-west-1", "--namespace", "Shop")
    result = CliRunner().invoke(app, ["migrate", "cloudwatch", "--out", str(out), *when, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def values(blocks: Path) -> list[tuple[int, float]]:
    """Time in milliseconds and value of each sample of the one metric; a sample that is there twice is told twice."""
    promtool = programs.find("promtool")
    assert promtool, "promtool is needed: make ready"
    (blocks / "wal").mkdir(exist_ok=True)  # without it, promtool takes the folder for no database
    answer = programs.run(promtool, ("tsdb", "dump", "."), blocks)
    lines = [line for line in answer.text.splitlines() if line.startswith("{")]
    assert all('__name__="aws_shop_orders_average"' in line and 'dimension_Stage="prod"' in line for line in lines)
    (blocks / "wal").rmdir()
    return sorted((int(time), float(value)) for value, time in (line.split("} ")[1].split() for line in lines))


EVERY_SAMPLE = [(int(START.timestamp() * 1000) + minute * 60_000, float(minute)) for minute in range(0, 360, 5)]


def test_history_becomes_blocks_with_every_sample(orders: Any, tmp_path: Path) -> None:
    alarm(orders, "silent", Namespace="Shop", MetricName="Gone")
    out = tmp_path / "out"
    (out / ".part-blocks" / "01KILLED").mkdir(parents=True)  # as a run that was killed leaves it
    assert migrated(out)[0] == 0, "a new folder needs no --force"
    items = {each["name"]: each for each in json.loads((out / "report.json").read_text())["items"]}
    assert items["aws_shop_gone_average"]["outcome"] == "not possible"
    assert items["aws_shop_orders_average prod"]["outcome"] == "carried over"
    assert "72 values, one in 300 s" in items["aws_shop_orders_average prod"]["detail"]
    assert values(out / "blocks") == EVERY_SAMPLE
    assert all((block / "meta.json").is_file() for block in (out / "blocks").iterdir()), "nothing but blocks"
    assert "`blocks/`" in (out / "REPORT.md").read_text()
    assert not [path.name for path in out.iterdir() if path.name.startswith(".part")]


def test_history_that_is_made_again_takes_the_place_of_what_was_there(orders: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    migrated(out)
    first = {block.name for block in (out / "blocks").iterdir()}
    assert migrated(out, "--force")[0] == 0
    assert values(out / "blocks") == EVERY_SAMPLE
    assert not first & {block.name for block in (out / "blocks").iterdir()}
    assert {block.name for block in (out / "before" / "blocks").iterdir()} == first, "kept, as files that are replaced"


@pytest.mark.parametrize("wrong", ["full", "file", "below a file", "forbidden", "no promtool"])
def test_what_would_fail_in_the_end_is_told_before_history_is_paid_for(
    orders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    out, words = tmp_path / "out", "is not empty"
    if wrong == "full":
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    elif wrong == "file":
        out.write_text("mine")
        words = "out is a file"
    elif wrong == "below a file":
        out, words = tmp_path / "mine" / "out", "mine is a file"
        (tmp_path / "mine").write_text("mine")
    elif wrong == "forbidden":
        words = "cannot be written by this user"
        monkeypatch.setattr("os.access", lambda path, mode: False)
    else:
        words = "promtool is not on this machine"
        monkeypatch.setattr(programs, "find", lambda name: None)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(origin, "fetch", lambda *_: pytest.fail("it was paid for"))
    code, text = migrated(out)
    assert (code, words in text) == (1, True), text
    assert sorted(tmp_path.rglob("*")) == before


def test_history_of_which_no_blocks_can_be_made_is_kept_as_text(
    orders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid for. What an earlier run made stays as it is."""
    out = tmp_path / "out"
    migrated(out)
    there = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr(programs, "find", lambda name: Path("/bin/false"))
    code, text = migrated(out, "--force")
    kept = out / ".part-blocks" / "history.om"
    assert (code, str(kept) in text) == (1, True), text
    assert kept.read_text().endswith("# EOF\n")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path != kept} == there


def test_a_long_history_becomes_few_blocks(tmp_path: Path) -> None:
    """promtool reads all of it once for each: a year in blocks of two hours would not end in time."""
    when = Range(START - timedelta(days=364), START + timedelta(days=1))
    metric = Metric("Shop", "Orders", (("Stage", "prod"),), "Average", 3600)
    samples = [((when.start + timedelta(hours=hour)).timestamp(), float(hour)) for hour in range(365 * 24)]
    write_blocks(openmetrics({metric: samples}, {}), tmp_path, when)
    assert len(list(tmp_path.iterdir())) <= 30
    assert values(tmp_path) == [(int(time * 1000), value) for time, value in samples]


def test_openmetrics_text_keeps_families_together() -> None:
    first, second = (Metric("A/B", "C", (("D", value),), "Sum", 60) for value in ('x"\\', "y"))
    lines = list(openmetrics({first: [(1.0, 2.5)], second: [(3.0, 4.0)]}, {"region": "r"}))
    assert lines == [
        "# TYPE aws_a_b_c_sum gauge",
        'aws_a_b_c_sum{region="r",dimension_D="x\\"\\\\"} 2.5 1.000',
        'aws_a_b_c_sum{region="r",dimension_D="y"} 4.0 3.000',
        "# EOF",
    ]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("soon", None, "--start soon is no time"),
        (None, "2026-01-01", "--end needs --start"),
        ("2026-02-01", "2026-01-01", "is not before"),
    ],
)
def test_a_time_that_cannot_be_meant_is_wrong_usage(start: str | None, end: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        time_range(start, end)


def test_an_account_that_cannot_be_asked_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for account in (Account(), Account(region="eu-west-1"), Account(profile="none")):
        with pytest.raises(CommandError, match="CloudWatch cannot be asked"):
            migrate_cloudwatch(bundle(), account, "platform")


def test_alarms_of_any_shape_end_in_items() -> None:
    itself = [{"Id": "e", "Expression": "e + 1", "ReturnData": True}]
    shapes: list[dict[str, Any]] = [{}, {"Metrics": []}, {"Metrics": itself}, {"MetricName": "x", "Period": "no"}]
    usual = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1}
    odd = [{"AlarmName": str(number), **usual, **shape} for number, shape in enumerate([*shapes, {"Metrics": 5}])]
    made, root = bundle(), Node("x.json", (), {"MetricAlarms": odd})
    Alarms(made, "platform").add(root)
    assert_complete(made.report, root)
    assert {each.outcome for each in made.report.items} == {"not possible"}
