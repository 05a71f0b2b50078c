"""Which mutants there are, exactly."""

from __future__ import annotations

import pytest

from mutants.expressions import delays, mutations


def changes(expression: str, **units: str) -> dict[str, str]:
    """Change to text; a unit is given as `n5="count"` for the number 5."""
    return {each.change: each.text for each in mutations(expression, {float(k[1:]): v for k, v in units.items()})}


def test_a_comparison_becomes_every_other_one() -> None:
    assert [each.text for each in mutations("a > b")] == ["a == b", "a != b", "a >= b", "a < b", "a <= b"]


def test_bool_stays() -> None:
    assert changes("a == bool b")["== -> >="] == "a >= bool b"


@pytest.mark.parametrize(
    ("expression", "units", "numbers"),
    [
        ("clamp_max(a, 0.02)", {}, ["0.018", "0.022"]),
        ("clamp_max(a, 500)", {}, ["450", "550"]),
        ("clamp_max(a, 2)", {}, ["1.8", "2.2"]),
        ("clamp_max(a, 2)", {"n2": "count"}, ["1", "3"]),
        ("clamp_max(a, 20)", {"n20": "count"}, ["18", "22"]),
        ("clamp_max(a, 0)", {}, ["-1", "1"]),
        ("clamp_max(a, 1)", {}, ["0", "2"]),
        ("clamp_max(a, 1)", {"n1": "ratio"}, ["0.9", "1.1"]),
        ("clamp_max(a, 0)", {"n0": "seconds"}, ["-0.1", "0.1"]),
        ("clamp_max(a, 1.5)", {"n1.5": "count"}, ["1.35", "1.65"]),
        ("clamp_max(a, 1e3)", {}, ["900", "1100"]),
    ],
)
def test_numbers_move_by_a_tenth_and_counts_by_whole_ones(
    expression: str, units: dict[str, str], numbers: list[str]
) -> None:
    assert sorted(changes(expression, **units).values()) == sorted(
        [f"clamp_max(a, {number})" for number in numbers] + [expression.replace("max", "min")]
    )


def test_windows_are_halved_and_doubled_but_offsets_removed() -> None:
    assert changes("rate(a[5m] offset 1d)") == {
        "window 5m -> 2m30s": "rate(a[2m30s] offset 1d)",
        "window 5m -> 10m": "rate(a[10m] offset 1d)",
        "rate -> increase": "increase(a[5m] offset 1d)",
        "rate -> delta": "delta(a[5m] offset 1d)",
        "rate -> irate": "irate(a[5m] offset 1d)",
        "offset 1d removed": "rate(a[5m] )",
    }


def test_of_a_subquery_the_step_stays() -> None:
    assert changes("deriv(a[2h:5m])")["window 2h -> 4h"] == "deriv(a[4h:5m])"


def test_matchers_are_dropped_and_negated_and_nothing_else_in_braces_changes() -> None:
    assert changes('rate{or="1>2[5m]", b!~"x,y"}') == {
        'or="1>2[5m]" dropped': 'rate{b!~"x,y"}',
        'or="1>2[5m]" negated': 'rate{or!="1>2[5m]", b!~"x,y"}',
        'b!~"x,y" dropped': 'rate{or="1>2[5m]"}',
        'b!~"x,y" negated': 'rate{or="1>2[5m]", b=~"x,y"}',
    }


def test_a_selector_without_a_name_keeps_one_matcher() -> None:
    assert changes('{a="1"}') == {}


def test_equal_matchers_go_together_where_operands_are_matched_on_the_label() -> None:
    dropped = {change: text for change, text in changes('a{j="1"} / b{j="1"}').items() if "dropped" in change}
    assert list(dropped.values()) == ["a{} / b{}"]
    turned = [change for change in changes('a{j="1"} / b{j="1"}') if "negated" in change]
    assert turned == ['j="1" negated', 'j="1" negated #2']


@pytest.mark.parametrize(
    "expression",
    [
        'a{j="1"} or b{j="1"}',
        'sum by (i) (a{j="1"}) / sum by (i) (b{j="1"})',
        'sum(a{j="1"}) / sum(b{j="1"})',
        'a{j="1"} / ignoring (j) b{j="1"}',
        'a{j="1"} and on (i) b{j="1"}',
        'sum without (i) (a{j="1"}) / sum without (i) (b{j="1"})',
    ],
)
def test_equal_matchers_go_one_by_one_where_operands_are_not(expression: str) -> None:
    dropped = [text for change, text in changes(expression).items() if change.startswith("j=") and "dropped" in change]
    assert dropped == [expression.replace('j="1"', "", 1), "".join(expression.rsplit('j="1"', 1))]


def test_aggregations_lose_one_label_at_a_time_and_become_others() -> None:
    assert changes("sum by (a, b) (x)") == {
        "by (a) dropped": "sum by (b) (x)",
        "by (b) dropped": "sum by (a) (x)",
        "sum -> avg": "avg by (a, b) (x)",
        "sum -> max": "max by (a, b) (x)",
    }
    assert "max by () (x)" in changes("max by (a) (x)").values()


def test_matching_loses_labels_too() -> None:
    found = changes("a * on (i, j) group_left (k) b")
    assert found["on (i) dropped"] == "a * on (j) group_left (k) b"
    assert found["group_left (k) dropped"] == "a * on (i, j) group_left () b"


@pytest.mark.parametrize(
    ("word", "others"), [("and", ["or", "unless"]), ("or", ["and", "unless"]), ("unless", ["and", "or"])]
)
def test_set_operators_become_the_other_two(word: str, others: list[str]) -> None:
    assert [each.text for each in mutations(f"a {word} b")] == [f"a {other} b" for other in others]


def test_arithmetic_is_turned_round_but_a_sign_is_not() -> None:
    assert [each.text for each in mutations("a - b")] == ["a + b"]
    assert [each.text for each in mutations("a * b")] == ["a / b"]
    assert mutations("-a") == []
    assert sorted(each.text for each in mutations("a > -b")) == ["a != -b", "a < -b", "a <= -b", "a == -b", "a >= -b"]


def test_the_same_change_at_two_places_has_two_names() -> None:
    assert [change for change in changes("rate(a[5m]) + rate(b[5m])") if change.startswith("rate -> delta")] == [
        "rate -> delta",
        "rate -> delta #2",
    ]


def test_what_says_the_same_counts_once_and_what_is_no_promql_not_at_all() -> None:
    texts = [each.text for each in mutations("a{b='1'}  >  0.1")]
    assert len(texts) == len(set(texts))
    assert mutations("a") == []
    assert mutations("time()") == []


def test_text_in_quotes_is_left_alone() -> None:
    assert mutations('label_replace(a, "rate", "$1 > 5 and sum", "b", "(.*)[5m]")') == []


def test_what_is_no_promql_is_refused() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        mutations("sum by (")


def test_a_delay_is_removed_halved_and_doubled() -> None:
    assert delays("15m") == (("for removed", None), ("for 15m -> 7m30s", "7m30s"), ("for 15m -> 30m", "30m"))
    assert delays(None) == delays("0s") == ()
