"""Signatures: as Standard Webhooks have them, and nothing that was changed on the way passes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.signatures import ID, SIGNATURE, TIMESTAMP, TOLERANCE_S, sign, verify
from engine.errors import InputError

KEY, OTHER = b"k" * 24, b"o" * 24
NOW_S = 1_795_000_000


def test_it_signs_as_the_standards_example_does() -> None:
    """The example with which libraries of Standard Webhooks test themselves."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed[SIGNATURE] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=50), st.integers(-TOLERANCE_S, TOLERANCE_S))
def test_what_is_signed_passes_with_any_known_key(body: bytes, late_s: int) -> None:
    headers = sign(KEY, "m-1", NOW_S, body)
    assert verify([OTHER, KEY], headers, body, NOW_S + late_s) == "m-1"
    headers[SIGNATURE] = f"v1a,xx v1,nonsense {headers[SIGNATURE]}"  # several, as while keys are changed
    assert verify([KEY], headers, body, NOW_S + late_s) == "m-1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({ID: "m-2"}, SIGNATURE),
        ({TIMESTAMP: str(NOW_S + 1)}, SIGNATURE),
        ({TIMESTAMP: str(NOW_S - TOLERANCE_S - 1)}, TIMESTAMP),
        ({TIMESTAMP: str(NOW_S + TOLERANCE_S + 1)}, TIMESTAMP),
        ({TIMESTAMP: "٣"}, TIMESTAMP),
        ({TIMESTAMP: "9" * 5_000}, TIMESTAMP),
        ({TIMESTAMP: "-1"}, TIMESTAMP),
        ({SIGNATURE: ""}, SIGNATURE),
        ({SIGNATURE: "v1,"}, SIGNATURE),
        ({SIGNATURE: "v1,é"}, SIGNATURE),
        ({SIGNATURE: None}, SIGNATURE),
        ({ID: None}, ID),
    ],
)
def test_what_was_changed_does_not_pass(change: dict[str, str | None], told: str) -> None:
    headers = {**sign(KEY, "m-1", NOW_S, b"{}"), **change}
    given_ = {name: value for name, value in headers.items() if value is not None}
    with pytest.raises(InputError, match=told):
        verify([KEY], given_, b"{}", NOW_S)


def test_neither_another_body_nor_another_key_passes_nor_none() -> None:
    headers = sign(KEY, "m-1", NOW_S, b"{}")
    for keys, body in (([KEY], b"{ }"), ([OTHER], b"{}"), ([], b"{}")):
        with pytest.raises(InputError, match=SIGNATURE):
            verify(keys, headers, body, NOW_S)
