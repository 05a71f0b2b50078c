"""What `verify` asks each product of a running stack: one module for each."""
