"""`report`: what a change of the repository does to stacks, for whoever reviews it."""
