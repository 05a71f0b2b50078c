"""CloudWatch: alarms as rules, and the history of their metrics as blocks of Prometheus."""
