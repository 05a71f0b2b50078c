"""The stack file: `StackConfig` and the ways to read it."""

from components.config.errors import Problem, StackFileError
from components.config.load import load_stack_file, parse_stack
from components.config.stack import StackConfig

__all__ = ["Problem", "StackConfig", "StackFileError", "load_stack_file", "parse_stack"]
