"""`drift`: what of a running stack is no longer as it was planned and deployed. It reads, and changes nothing."""
