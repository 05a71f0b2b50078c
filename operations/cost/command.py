"""`cost`: the bills of a stack side by side, each line with its formula and the source of its price."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.config.base import duration_text
from components.config.load import stack_path
from components.plan import plan_stack_file
from operations import console
from operations.cost.bills import Bill, monthly_cost
from operations.cost.load import CostLoad, Usage, cost_load
from operations.cost.prices import OLD, Own, Prices, Range, combined, from_file, from_stack


def answer(environment: str, load: CostLoad, prices: Prices, today: dt.date) -> dict[str, Any]:
    """The comparison as data; amounts in the currency of the prices, a month. Keys are only ever added."""
    bills = monthly_cost(load, prices)
    return {
        "environment": environment,
        "currency": prices.currency,
        "prices": {"date": prices.date.isoformat(), "days": prices.age(today), "old": prices.age(today) > OLD},
        "load": asdict(load),
        "platforms": [_platform(bill) for bill in bills],
    }


def _platform(bill: Bill) -> dict[str, Any]:
    return {
        "name": bill.platform,
        "title": bill.title,
        "total": list(bill.total),
        "notes": list(bill.notes),
        "unconfirmed": list(bill.unconfirmed),
        "lines": [
            {
                "item": line.item,
                "units": list(line.units),
                "formula": line.formula,
                "price": list(line.price.range),
                "unit": line.price.unit,
                "amount": list(line.amount),
                "source": line.price.source,
                "seen": line.price.seen,
                "basis": line.price.basis,
            }
            for line in bill.lines
        ],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    load, money = found["load"], found["currency"]
    head = f"{found['environment']}: {load['series']:,} series, {load['rate']:,.0f} samples/s"
    text = (
        f"{head}, {load['nodes']} machine{'s' * (load['nodes'] != 1)}, {load['spans']:g} spans/s, {load['users']} users"
    )
    result = [f"{text}; kept for {duration_text(load['retention'])}", ""]
    cheapest = sorted(found["platforms"], key=lambda each: sum(each["total"]))
    rows = [[each["title"], _money(each["total"]), "; ".join(each["notes"])] for each in cheapest]
    result += _headed(rows, ["A MONTH", money, "TO KNOW"])
    for each in found["platforms"]:
        rows = [
            [
                f"  {line['item']}{' *' * (line['basis'] == 'unconfirmed')}",
                _money(line["amount"]),
                f"= {_units(line['units'])} x {_units(line['price'])} per {line['unit'].partition(';')[0]}",
                line["formula"],
            ]
            for line in each["lines"]
        ]
        result += ["", console.paint(f"{each['title']}: {_money(each['total'])}", "bold"), *console.table(rows)]
    result += ["", *_remarks(found)]
    return result


def _remarks(found: dict[str, Any]) -> list[str]:
    prices = found["prices"]
    remarks = [f"List prices of {prices['date']}, without tax and discounts; --json has the source of each."]
    if prices["old"]:
        remarks.append(f"They are {prices['days']} days old: look at the sources, and give yours by --prices.")
    if any(each["unconfirmed"] for each in found["platforms"]):
        remarks.append("* could not be confirmed on a page of today; ranges say how uncertain the rest is.")
    load = found["load"]
    if any(line["item"] == "work" and not line["amount"][1] for each in found["platforms"] for line in each["lines"]):
        remarks.append("Work is not counted; --rate says what an hour costs.")
    assumed = (
        f"{load['containers']} containers a machine, {load['queries']:g} queries/s, {load['hours']:g} hours of work"
    )
    return [*remarks, f"Assumed: {assumed} (--nodes, --containers, --spans, --users, --queries, --hours, --rate)."]


def _headed(rows: list[list[str]], head: list[str]) -> list[str]:
    first, *rest = console.table(rows, head)
    return [console.paint(first, "bold"), *rest]


def _money(amount: Range | list[float]) -> str:
    return _between([f"{value:,.0f}" if value >= 100 else f"{value:,.2f}" for value in amount])


def _units(units: Range | list[float]) -> str:
    return _between([f"{value:,.0f}" if value >= 1000 else f"{value:.4g}" for value in units])


def _between(texts: list[str]) -> str:
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"


def cost_command(stack: str, usage: Usage, prices: Path | None, rate: float | None, json: bool) -> int:
    """Print the comparison. Prices of the file win over those of the stack, and `rate` over both."""
    config, plan = plan_stack_file(stack)
    own = [from_stack(config.prices, str(stack_path(stack)))]
    own += [from_file(prices)] if prices else []
    own += [Own("--rate", {"prices": {"self-hosted": {"work": {"price": rate}}}})] if rate is not None else []
    load = cost_load(config, plan, usage)
    found = answer(config.environment, load, combined(*own), dt.datetime.now(dt.UTC).date())
    if json:
        console.print_json(found)
    else:
        console.say("\n".join(lines(found)))
    return 0
