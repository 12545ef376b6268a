"""Send nothing: the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.policies.base import NO_MESSAGE, Context, Policy


@dataclass(frozen=True)
class Nothing(Policy):
    """Sends nothing to anybody."""

    name: ClassVar[str] = "none"

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return no message for every learner, with certainty."""
        return context.sure(np.full(len(context.learners), NO_MESSAGE, np.int8))
