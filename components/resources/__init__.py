"""Resources that are the same on every platform: what a stack keeps outside of it."""
