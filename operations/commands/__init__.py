"""The commands of `./observatory` and their options, a module for each family."""
