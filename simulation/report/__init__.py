"""The report: one page of HTML that shows what a simulation came to, for people who would rather look than read."""

from simulation.report.page import write

__all__ = ["write"]
