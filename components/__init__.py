"""What a stack file becomes: the model, the plan, the products and the platforms."""
