"""`drill`: makes a planned alert fire for real, beside the stack's own Prometheus, and follows it to its receiver."""
