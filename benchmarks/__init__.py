"""Benchmarks: speed against peers, run by `make bench`; figures are in README.md. Not part of the package."""
