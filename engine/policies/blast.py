"""Send the same to everybody as often as the limits allow: the baseline that fatigue punishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.notifications.catalogue import catalogue
from engine.policies.base import NO_MESSAGE, Context, Policy


@dataclass(frozen=True)
class Blast(Policy):
    """Sends one type to every eligible learner.

    Args:
        kind: the type.
    """

    name: ClassVar[str] = "blast"
    kind: str = "personalised_content"

    def __post_init__(self) -> None:
        """Refuse an unknown type."""
        catalogue().code(self.kind)

    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the type for every learner who is eligible for it."""
        code = catalogue().code(self.kind)
        return context.sure(np.where(context.may(code), code, NO_MESSAGE).astype(np.int8))
