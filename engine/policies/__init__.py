"""Policies: who is sent what. Each is one file; its name is its class's ``name``."""

from engine.policies.base import NO_MESSAGE, Context, Decision, Policy, State, decide
from engine.policies.by_name import make, names

__all__ = ["NO_MESSAGE", "Context", "Decision", "Policy", "State", "decide", "make", "names"]
