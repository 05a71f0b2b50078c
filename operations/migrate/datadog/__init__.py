"""Datadog's dashboards and monitors: a parser of its queries, and what they are in PromQL."""
