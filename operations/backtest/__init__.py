"""`backtest`: changed alerts, run over what a server remembers."""
