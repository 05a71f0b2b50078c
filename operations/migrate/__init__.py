"""`migrate`: from another monitoring system to a stack file, rules and dashboards, with a report on every item."""
