"""What a policy has learned, in a file and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.policies import decide, knowledge, make
from tests.engine.decisions import context, knowing, same, same_state

LEARNING = ["linucb", "sleeping_recovering", "thompson", "uplift"]


@pytest.mark.parametrize("name", LEARNING)
def test_a_policy_decides_as_before_by_what_was_written(name: str, tmp_path: Path) -> None:
    policy, file = make(name), tmp_path / "knowledge.json"
    before = knowing(policy, context())
    knowledge.write(file, policy, before.state)
    state = knowledge.read(file, policy)
    assert same_state(state, before.state)
    given = context()
    again = type(given)(**{**vars(given), "state": state})
    assert same(decide(policy, before), decide(make(name), again))
    assert not same(decide(policy, before), decide(policy, given))


def changed(content: Any, path: str, value: Any) -> Any:
    *parents, last = path.split(".")
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("policy", "uplift, active_7", "policy; got uplift, active_7"),
        ("policy", "thompson, active_3", "expected thompson, active_7"),
        ("types", ["gentle_reminder"], "types"),
        ("features", ["risk"], "Learn anew"),
        ("state.yy.values", [1.5] * 9, "whole numbers"),
        ("state.yy.values", [2**70] * 9, "whole numbers"),
        ("state.yy.values", [1], "reshape"),
        ("state.yy", 5, "whole numbers"),
        ("state", [], "whole numbers"),
        ("more", 1, "other content"),
    ],
)
def test_another_or_a_damaged_file_is_refused(path: str, value: Any, said: str, tmp_path: Path) -> None:
    file = tmp_path / "knowledge.json"
    knowledge.write(file, make("thompson"), knowing(make("thompson"), context()).state)
    file.write_text(json.dumps(changed(json.loads(file.read_text()), path, value)))
    with pytest.raises(InputError, match=said):
        knowledge.read(file, make("thompson"))


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[1]", "null"])
def test_what_is_no_such_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "knowledge.json"
    if text:
        file.write_text(text)
    with pytest.raises(InputError, match=r"knowledge\.json"):
        knowledge.read(file, make("thompson"))
