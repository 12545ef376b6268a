"""A request and its response agree on a version of xAPI, or the request is refused."""

from __future__ import annotations

import pytest

from api.xapi.errors import VersionError
from api.xapi.versions import VERSIONS, about, negotiate


@pytest.mark.parametrize(
    ("header", "answer"),
    [("1.0", "1.0.3"), ("1.0.0", "1.0.3"), ("1.0.3", "1.0.3"), ("1.0.9", "1.0.3"), (" 1.0.2 ", "1.0.3"),
     ("2.0", "2.0.0"), ("2.0.0", "2.0.0"), ("2.0.1", "2.0.0")],
)  # fmt: skip
def test_the_answer_is_the_latest_patch_of_the_line(header: str, answer: str) -> None:
    assert negotiate(header) == answer


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "0.95",
        "0.9",
        "1",
        "1.1.0",
        "1.1",
        "2",
        "2.1.0",
        "3.0",
        "1.0.x",
        "1.0.",
        "1.0.3.1",
        "\u0661.0.3",
        "x" * 9_999,
    ],
)
def test_other_versions_are_refused_naming_those_that_are_spoken(header: str | None) -> None:
    with pytest.raises(VersionError, match=r"1\.0\.x or 2\.0\.x") as refused:
        negotiate(header)
    assert refused.value.status == 400
    assert len(str(refused.value)) < 300


def test_the_about_resource_names_each_version_that_is_spoken() -> None:
    assert about()["version"] == list(VERSIONS) == ["1.0.3", "2.0.0"]
