"""Dashboards of another Grafana as the user's own: their panels, variables and marks, with this stack's datasources."""
