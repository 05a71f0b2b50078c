"""Changes every rule in small ways and shows which changes the unit tests of the rules notice."""
