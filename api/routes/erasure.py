"""Erasure of a learner, and its proof."""

from __future__ import annotations

import asyncio
import hashlib

from fastapi import APIRouter
from pydantic import Field

from actors.storage.erasures import Erasure, ErasureStore
from api.access import Caller, own
from api.context import Context, Engine
from api.problems import responses
from api.routes.profiles import Learner
from api.wire import Wire

router = APIRouter(prefix="/api/engagement", tags=["learners"])


class ErasureProof(Wire):
    """That nothing is held of a learner any more; who does not know the id cannot tell whose proof it is."""

    learner_hash: str = Field(description="SHA-256 of this installation's identity and the id.")
    erased_at_ms: int = Field(description="UTC milliseconds.")
    log: int = Field(description="Journal that held the learner.")
    sequence: int = Field(description="Entry of it that erased.")
    entries_checked: int = Field(description="Entries of that journal looked through afterwards, all there are.")
    entries_left: int = Field(description="Of these, how many still said anything about the learner.", examples=[0])


def _proof(erasure: Erasure) -> ErasureProof:
    return ErasureProof(
        learner_hash=erasure.learner_hash,
        erased_at_ms=erasure.erased_ms,
        log=erasure.log,
        sequence=erasure.sequence,
        **erasure.body,
    )


def _hash(engine: Engine, learner_id: str) -> str:
    return hashlib.sha256(f"{engine.identity}\x00{learner_id}".encode()).hexdigest()


@router.delete("/learners/{userId:path}", summary="Erase a learner", responses=responses(404, 503))
async def erase(engine: Engine, caller: Caller, learner_id: Learner) -> ErasureProof:
    """Erase all that is held: record, profile, journalled events, outcomes, daily signals, snapshots.

    The same id may come back later, as somebody new. Sent again, it answers with the same proof.
    """
    own(caller, learner_id)
    return _proof(await asyncio.to_thread(_erase, engine, learner_id))


def _erase(engine: Context, learner_id: str) -> Erasure:
    """Erase a learner and keep the proof; sent again after an answer was lost, this finds the erasure and its proof."""
    learner_hash, log = _hash(engine, learner_id), engine.service.lane(learner_id).log
    done = engine.service.erase(learner_id, learner_hash)
    engine.delivery.forgetting.forget(learner_id)
    store = ErasureStore(engine.database)
    for proof in store.find(learner_hash):
        if (proof.log, proof.sequence) == (log, done.sequence):
            return proof
    proof = Erasure(log, done.sequence, learner_hash, done.now_ms, engine.service.traces(learner_id, done)._asdict())
    store.add(proof)
    return proof


@router.get("/erasures/{userId:path}", summary="Proofs of a learner's erasures", responses=responses())
async def proofs(engine: Engine, caller: Caller, learner_id: Learner) -> list[ErasureProof]:
    """Return the proofs of an id's erasures, oldest first; none where there was no erasure."""
    own(caller, learner_id)
    found = await asyncio.to_thread(ErasureStore(engine.database).find, _hash(engine, learner_id))
    return [_proof(erasure) for erasure in found]
