"""Signals: behavioural features of a learner, found through one catalogue.

A signal is one function of the record and of ``now``, decorated with `signal` in the file of its family. Adding one is
adding one function: the catalogue finds it, and a generated compiled module calls them all in one pass.
"""

from engine.signals.catalogue import Signal, catalogue, compute, names, signal
from engine.signals.moment import Now

__all__ = ["Now", "Signal", "catalogue", "compute", "names", "signal"]
