"""Where a planned service becomes real resources; the only package that imports a provider SDK."""
