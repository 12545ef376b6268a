"""Send nothing: the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.policies.base import NO_MESSAGE, Context, Decision


@dataclass(frozen=True)
class Nothing:
    """Sends nothing to anybody."""

    name: ClassVar[str] = "none"

    def decide(self, context: Context) -> Decision:
        """Return no message for every learner, with certainty."""
        count = len(context.learners)
        return Decision(np.full(count, NO_MESSAGE, np.int8), np.ones(count))
