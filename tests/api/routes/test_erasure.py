"""Erasure: gone everywhere, and proved, also where the answer or the process was lost on the way."""

from __future__ import annotations

from unittest import mock

from actors.ports import JournalError
from actors.storage.journal import SqlJournal
from api.access import Role
from tests.api.site import Site


def test_an_erasure_is_proved_to_who_knows_the_id(site: Site) -> None:
    site.track()
    site.track(learner="bob")
    proof = site.ask("DELETE", "/learners/ann", Role.ADMIN).json()
    assert proof["entriesLeft"] == 0 < proof["entriesChecked"]
    assert site.ask("GET", "/erasures/ann", Role.ADMIN).json() == [proof]
    assert site.ask("GET", "/erasures/bob", Role.ADMIN).json() == []
    assert site.ask("DELETE", "/learners/nobody", Role.ADMIN).status_code == 404


def test_an_erasure_sent_again_answers_with_the_same_proof(site: Site) -> None:
    site.track()
    proofs = [site.ask("DELETE", "/learners/ann", Role.ADMIN).json() for _ in range(2)]
    assert proofs[0] == proofs[1]
    site.track()  # somebody new of that id
    third = site.ask("DELETE", "/learners/ann", Role.ADMIN).json()
    assert third["sequence"] > proofs[0]["sequence"]
    assert site.ask("GET", "/erasures/ann", Role.ADMIN).json() == [proofs[0], third]


def test_an_erasure_that_broke_off_gets_its_proof_by_being_sent_again(site: Site) -> None:
    site.track()
    with mock.patch.object(SqlJournal, "rewrite", side_effect=JournalError("database", "no connection")):
        assert site.ask("DELETE", "/learners/ann", Role.ADMIN).status_code == 503
    assert site.ask("GET", "/erasures/ann", Role.ADMIN).json() == []
    proof = site.ask("DELETE", "/learners/ann", Role.ADMIN).json()
    assert proof["entriesLeft"] == 0
    assert site.ask("GET", "/erasures/ann", Role.ADMIN).json() == [proof]
    assert b"ann" not in b"".join(
        bytes(entry.message.frame) + str(entry.message.body).encode() for entry in site.service.entries(0)
    )
