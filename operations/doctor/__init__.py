"""`doctor`: finds known failures of a running stack. Facts are gathered once; each diagnosis is a function of them."""
