"""Copies of a stack's data: made by hand, listed, restored, and proven by a drill."""
