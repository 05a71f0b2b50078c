"""The world around the demo: customers, the payment provider, and the switch for faults."""
