"""Assignment: a learner's arm is a hash of who it is, so it is told anew at any time and kept nowhere.

A keyed hash (BLAKE2b, RFC 7693) of the learner's id gives a number from 0 to 1; the key is the experiment's id. So a
learner keeps its arm whoever else comes or goes, and two experiments divide the same learners independently. Only a
change of the file moves anybody: arms lie side by side from 0 to 1 in the order of the file, and a change of shares
moves just the learners whose number a border passes. Between neighbours no way moves fewer; where one arm grows at the
cost of another, the arms that lie between them move too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import calendar
from engine.errors import InputError, did_you_mean
from engine.policies import Policy, make
from engine.policies.decisions import Reward

HOLDOUT = "holdout"
"""What `Experiment.arm_of` says of a learner whom no experiment treats."""

_HOLDOUT_KEY = "engage/holdout"  # never an experiment's id, which has no slash
_ROUNDING = 1e-9  # by which shares such as three times 0.333333333333 may miss 1

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]  # 64 bytes are BLAKE2b's longest key


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Arm(_Strict):
    """One way of treating learners: a policy by name, its parameters, and the share of learners who get it.

    ``share`` is of those outside the holdout; ``knows`` is a file of `engine.policies.knowledge` to begin with.
    """

    id: Id
    policy: str
    params: Annotated[dict[str, Any], Field(default_factory=dict)]
    share: Annotated[float, Field(gt=0, le=1)]
    knows: str | None = None


class Experiment(_Strict):
    """An experiment as it is written down before it begins.

    The first arm is what the others are compared with, the first metric what decides. ``holdout`` is the share of
    learners who are sent nothing: the same ones in every experiment, and with a greater share those of a smaller one
    among them. ``start`` is the first local day of treatment.
    """

    compares: ClassVar[bool] = True
    """Whether there must be somebody to compare with."""

    id: Id
    arms: Annotated[tuple[Arm, ...], Field(min_length=1, strict=False)]  # TOML and JSON have lists
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    start: Annotated[date, Field(ge=date(1971, 1, 1), le=date(2100, 1, 1), strict=False)]  # JSON has texts
    metrics: Annotated[tuple[Reward, ...], Field(min_length=1, strict=False)]

    @property
    def first_day(self) -> int:
        """Return the first local day of treatment, in days since 1970-01-01."""
        return calendar.day_number(self.start)

    def policies(self) -> dict[str, Policy]:
        """Return the policy of each arm by its id, and the holdout's, which sends nothing."""
        return {arm.id: make(arm.policy, arm.params) for arm in self.arms} | {HOLDOUT: make("none")}

    def arm_of(self, learner_id: str) -> str:
        """Return the id of a learner's arm, or `HOLDOUT`; the same at every call, on every machine."""
        if _uniform(_HOLDOUT_KEY, learner_id) < self.holdout:
            return HOLDOUT
        place, border = _uniform(self.id, learner_id), 0.0
        for arm in self.arms[:-1]:
            border += arm.share
            if place < border:
                return arm.id
        return self.arms[-1].id  # what rounding leaves over is its own


def _uniform(key: str, learner_id: str) -> float:
    """Return 53 of a hash's 64 bits as a number in [0, 1); all 64 would round to 1 now and then."""
    digest = hashlib.blake2b(learner_id.encode(), digest_size=8, key=key.encode()).digest()
    return float(int.from_bytes(digest, "big") >> 11) * 2.0**-53


_Shape = TypeVar("_Shape", bound=Experiment)


def read(source: str, content: dict[str, Any], shape: type[_Shape]) -> _Shape:
    """Return an experiment from tables and values as TOML or JSON gives them.

    Args:
        source: where the content comes from, for the error.
        content: the entries of ``shape``.
        shape: `Experiment`, or a kind of it.

    Raises:
        InputError: an entry that is unknown, missing or wrong, shares that do not sum to 1, nobody to compare with, an
            id given twice, or a policy that refuses its parameters; the entry is named.
    """
    try:
        experiment = shape.model_validate(content)
    except ValidationError as error:
        raise _explain(source, error, shape) from None
    _check(f"{source}: experiment {experiment.id!r}", experiment)
    return experiment


def _explain(source: str, error: ValidationError, shape: type[Experiment]) -> InputError:
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])  # a typo also lacks its key
    where = f"{source}: {'.'.join(str(part) for part in first['loc'])}"
    if first["type"] == "extra_forbidden":
        known = (Arm if len(first["loc"]) > 1 else shape).model_fields
        return InputError(where, "an unknown key", "a key of this table", did_you_mean(str(first["loc"][-1]), known))
    got = "nothing" if first["type"] == "missing" else repr(first["input"])
    return InputError(where, got, first["msg"])


def _check(where: str, experiment: Experiment) -> None:
    """Refuse what no single entry shows."""
    ids = [arm.id for arm in experiment.arms]
    for name, listed in (("arms", [*ids, HOLDOUT]), ("metrics", [str(each) for each in experiment.metrics])):
        for entry in listed:
            if listed.count(entry) > 1:
                taken = f"; {HOLDOUT!r} is the holdout's" if name == "arms" else ""
                raise InputError(f"{where}: {name}", f"{entry!r} more than once", f"each once{taken}")
    total = math.fsum(arm.share for arm in experiment.arms)
    if abs(total - 1.0) > _ROUNDING:
        shares = " + ".join(f"{arm.share:g} ({arm.id})" for arm in experiment.arms)
        remedy = "Shares are of the learners outside the holdout."
        raise InputError(f"{where}: shares of the arms", f"{shares} = {total:g}", "a sum of 1", remedy)
    if experiment.compares and len(ids) == 1 and experiment.holdout == 0.0:
        raise InputError(f"{where}: arms", f"{ids[0]!r} alone and no holdout", "a second arm, or a holdout")
    for arm in experiment.arms:
        try:
            make(arm.policy, arm.params)
        except InputError as error:
            what = f"{where}: arm {arm.id!r}: {error.what}"
            raise InputError(what, error.got, error.expected, error.remedy) from None


def exposed(chances: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Return for which learners the arms' treatments could have differed at all.

    To compare arms among these learners alone is to compare the same effect with less noise, since whoever would have
    been treated alike in every arm adds nothing but noise (Kohavi, Tang & Xu, "Trustworthy Online Controlled
    Experiments", 2020, ch. 20). It is fair, because what each arm would have done is asked of every learner.

    Args:
        chances: of each arm's policy for the same learners, from `Policy.chances`, each of shape (n, types + 1).
    """
    every = np.stack(list(chances))
    differs: NDArray[np.bool_] = (every != every[0]).any(axis=(0, 2))
    return differs
