"""The series that the stack records from what services declare and promise."""

from components import objectives, onboarding

RECORDED_BY_THE_STACK = {*onboarding.RECORDS, *objectives.RECORDS}
