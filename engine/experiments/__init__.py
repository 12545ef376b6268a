"""Experiments: who is treated how, and what a decision log says of policies that did not run."""
