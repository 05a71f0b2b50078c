"""A stack's dashboards as pages for a browser."""
