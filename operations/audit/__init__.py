"""`audit`: what a running server stores, what nothing uses of it, and what that costs."""
