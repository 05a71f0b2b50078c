"""`cost`: what a stack's load costs a month, run by yourself and on the platforms of others."""
