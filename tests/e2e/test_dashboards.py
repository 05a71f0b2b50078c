"""Every dashboard of the demo, asked of its Prometheus: each panel has data, or it is known why it has none."""

from __future__ import annotations

import time

from components.plan import plan_stack_file
from operations.errors import CommandError
from operations.http import Endpoint
from operations.pages.dashboards import PATIENCE, counted, planned_dashboards, with_data
from operations.pages.data import Window
from tests.e2e.demo import Demo
from tests.e2e.engine import until
from tests.e2e.stack import TIMINGS

WITHOUT_DATA = {
    "no notification is sent: the demo has no channel": {
        "stack": {"Notifications", "Share of notifications failed"},
        "alerts": {"Failed", "Time to deliver"},
    },
    "nothing is broken": {
        "stack": {"Which alerts fire"},
        "alerts": {"Firing", "By team", "By category", "By severity", "When they fired", "Alerts firing"},
        "red": {"Routes with errors"},
        "services": {"Metrics that are missing"},
        **{f"team-{team}": {"Firing"} for team in ("discovery", "payments", "platform", "security")},
    },
    "only the shop and the gateway expose HTTP requests and have objectives": {
        f"team-{team}": {
            "Requests by service",
            "Errors by service",
            "95th percentile by service",
            "Error budget remaining",
        }
        for team in ("platform", "security")
    },
    "cAdvisor does not run here": {
        "stack": {"Memory against limit", "Processors used", "Held back by the CPU limit"},
    },
    "Grafana does not run where its image cannot be had": {
        "stack": {"Requests to Grafana", "Failed requests to Grafana"},
    },
    "no probe uses TLS": {"stack": {"Certificates"}, "probes": {"Certificates", "Time until a certificate expires"}},
}
"""Why panels may be empty: dashboard to titles."""
EXCUSED = {(board, title) for boards in WITHOUT_DATA.values() for board, titles in boards.items() for title in titles}


def test_every_panel_has_data_or_it_is_known_why_not(demo: Demo) -> None:
    """As a reviewer sees them with `./observatory dashboards`: no query fails, no metric is missing."""
    config, plan = plan_stack_file(str(demo.file))
    shown = planned_dashboards(config, plan)
    assert len(shown) == 16 + 4  # all but the one of cAdvisor, and one for each of four teams
    prometheus = Endpoint("prometheus", f"http://127.0.0.1:{demo.ports['prometheus']}", patience=PATIENCE)
    missing: dict[tuple[str, str], str] = {}

    def complete() -> bool:
        now = time.time()
        try:
            numbers = counted(plan.environment, with_data(shown, prometheus, Window(now - 300, now, 5)))
        except CommandError:
            return False  # of hundreds of queries one may be late
        missing.clear()
        for board in numbers["dashboards"]:
            missing.update({(board["name"], one["panel"]): one["reason"] for one in board["without_data"]})
        if {*missing} <= EXCUSED:
            total = numbers["total"]
            TIMINGS.append(f"{total['with_data']:6} of {total['panels']} panels of the demo have data")
        return {*missing} <= EXCUSED

    demo.await_answers()
    try:
        until(complete, "data in every panel", 400)
    except AssertionError:
        raise AssertionError({key: why for key, why in missing.items() if key not in EXCUSED}) from None
    finally:
        prometheus.close()
    assert [reason for reason in missing.values() if not reason or reason.startswith("query ")] == []
