"""What stands in for a chat or a pager: prints a line for each alert that Alertmanager posts to it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Inbox(BaseHTTPRequestHandler):
    """Takes messages of Alertmanager's webhook: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""

    def do_POST(self) -> None:
        """Print its alerts."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in message["alerts"]:
            print(
                f"{alert['status']:<9} {alert['labels']['alertname']}: {alert['annotations'].get('summary', '')}",
                flush=True,
            )
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing else."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Inbox).serve_forever()
