"""`new`: from a few answers to a commented, valid stack file."""
