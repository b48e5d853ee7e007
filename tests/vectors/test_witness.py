"""The add-checkpoint sequence of litewitness, through parsing and decision; HTTP is not involved."""

import json
from pathlib import Path

from escrow.tlog.vkey import VerifierKey
from escrow.tlog.witnessing import Request, WitnessRefusal, decide

# The sequence is older than the rule that an unknown origin is answered with 404.
CHANGED_SINCE = {2: 404}


def test_the_published_sequence_is_answered_as_specified(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/tlog-witness/litewitness_add_checkpoint_sequence.json").read_text())
    origin = vectors["log_origin"]
    known = {origin: VerifierKey.of(origin, bytes.fromhex(vectors["log_pubkey_hex"]))}
    recorded = None
    for place, step in enumerate(vectors["steps"]):
        body = step["request_body"].encode()
        try:
            # The second step's signature is wrong already in its spelling, so there parsing refuses it.
            request = Request.parse(body)
            assert request.encode() == body
            recorded = decide(recorded, request, known)
            status, answer = 200, b""
        except WitnessRefusal as refusal:
            status, answer = refusal.status, refusal.body
        assert status == CHANGED_SINCE.get(place, step["status"])
        if status == 409:
            assert step["assert"] == '== "' + answer.decode().replace("\n", "\\n") + '"'
    assert recorded is not None
    assert recorded[0] == 5
