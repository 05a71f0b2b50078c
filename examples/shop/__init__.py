"""A small shop: its modules are the patterns that docs/guide/instrumentation.md teaches, one each."""
