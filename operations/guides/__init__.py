"""Files that are generated from the models and the rules: the schema for editors, and reference pages."""
