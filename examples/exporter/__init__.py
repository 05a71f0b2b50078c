"""Speaks the metrics of systems that are too big to run in a demo, with values that move like theirs."""
