"""Small services that show how to measure a program; `demo: true` deploys them beside a stack."""
