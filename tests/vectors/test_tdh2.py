"""Our own known answers of TDH2 (README.md here), made by the slow implementation and met by the product."""

import json
from typing import Any

import pytest

from escrow.capsule.schemes import CommitteeContext, ShareRequest, scheme_of
from escrow.committee.parts import PublicKey, second_generator
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import Polynomial, interpolate_scalars
from escrow.crypto.suites import group_of
from escrow.errors import Reason, RefusedError
from escrow.secret import Secret
from tests.oracles import slow_groups, tdh2, tdh2_answers

Suite = dict[str, Any]
SUITES: dict[int, Suite] = {
    suite["suite"]: suite for suite in json.loads(tdh2_answers.FILE.read_text(encoding="utf-8"))["suites"]
}
of_each_suite = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite["group"])
un = bytes.fromhex


def context(suite: Suite) -> CommitteeContext:
    group = group_of(suite["suite"])
    public = group.decode(un(suite["Y"]))
    points = public, second_generator(un(suite["proposal_hash"]), public)
    return CommitteeContext(suite["suite"], un(suite["committee_key_hash"]), suite["threshold"], PublicKey(points, ()))


def request(suite: Suite) -> ShareRequest:
    asked = suite["capsules"][0]
    hashes = un(suite["generation_hash"]), un(suite["request_hash"])
    return ShareRequest(context(suite), hashes[0], un(asked["label"]), un(asked["capsule"]), hashes[1])


def test_the_published_file_is_what_the_slow_implementation_gives() -> None:
    assert tuple(SUITES) == tdh2_answers.SUITES
    assert tdh2_answers.FILE.read_text(encoding="utf-8") == tdh2_answers.text()


@of_each_suite
def test_key_shares_and_context_come_out(suite: Suite) -> None:
    group, ctx = group_of(suite["suite"]), context(suite)
    polynomial = Polynomial(tuple(Scalar.decode(un(value)) for value in suite["polynomial"]))
    assert polynomial.commitments(group)[0] == ctx.public
    assert ctx.gamma.encode() == un(suite["second_generator"])
    assert ctx.encode() == un(suite["ctx"])
    shares = {index: polynomial.evaluate(index) for index in range(1, len(suite["x"]) + 1)}
    assert [share.encode() for share in shares.values()] == [un(x) for x in suite["x"]]
    assert [group.base_mul(share).encode() for share in shares.values()] == [un(h) for h in suite["h"]]
    assert interpolate_scalars({index: shares[index] for index in (2, 3, 5)}) == polynomial.coefficients[0]


@of_each_suite
def test_capsules_come_out_byte_for_byte_and_verify(suite: Suite) -> None:
    scheme, ctx = scheme_of(suite["suite"]), context(suite)
    assert len(suite["capsules"]) == 2
    for one in suite["capsules"]:
        assert scheme.encapsulate(ctx, un(one["label"]), Secret(un(one["seed"]))) == un(one["capsule"])
        scheme.verify(ctx, un(one["label"]), un(one["capsule"]))


@of_each_suite
def test_shares_come_out_byte_for_byte_verify_and_open_the_capsule(suite: Suite) -> None:
    scheme, asked = scheme_of(suite["suite"]), request(suite)
    shares = {one["index"]: un(one["share"]) for one in suite["shares"]}
    assert len(shares) == suite["threshold"]
    for one in suite["shares"]:
        index, x = one["index"], Secret(un(suite["x"][one["index"] - 1]))
        assert scheme.share(asked, x, index, un(one["coins"])) == shares[index]
        scheme.verify_share(asked, un(suite["h"][index - 1]), index, shares[index])
    seed = scheme.recover(asked.ctx, asked.label, asked.capsule, shares)
    assert seed.expose() == un(suite["capsules"][0]["seed"])


@of_each_suite
def test_every_invalid_capsule_is_refused_by_both(suite: Suite) -> None:
    scheme, ctx, key = scheme_of(suite["suite"]), context(suite), slow_key(suite)
    assert len(suite["invalid_capsules"]) == 12
    for one in suite["invalid_capsules"]:
        label, capsule = un(one["label"]), un(one["capsule"])
        with pytest.raises(RefusedError) as refused:
            scheme.verify(ctx, label, capsule)
        assert refused.value.reason is Reason.CAPSULE_INVALID, one["why"]
        with pytest.raises(tdh2.BadCapsuleError):
            tdh2.verify(key, label, capsule)


@of_each_suite
def test_every_invalid_share_is_refused_by_both(suite: Suite) -> None:
    scheme, asked, key = scheme_of(suite["suite"]), request(suite), slow_key(suite)
    slowly = tdh2.Asked(asked.generation_hash, asked.label, asked.capsule, asked.request_hash)
    assert len(suite["invalid_shares"]) == 8
    for one in suite["invalid_shares"]:
        index, h, share = one["index"], un(suite["h"][one["index"] - 1]), un(one["share"])
        with pytest.raises(RefusedError) as refused:
            scheme.verify_share(asked, h, index, share)
        assert refused.value.reason is Reason.SHARE_INVALID, one["why"]
        with pytest.raises(tdh2.BadShareError):
            tdh2.verify_share(key, slowly, h, index, share)


@of_each_suite
def test_the_slow_implementation_takes_what_is_published_as_valid(suite: Suite) -> None:
    key, asked = slow_key(suite), request(suite)
    slowly = tdh2.Asked(asked.generation_hash, asked.label, asked.capsule, asked.request_hash)
    tdh2.verify(key, asked.label, asked.capsule)
    shares = {one["index"]: un(one["share"]) for one in suite["shares"]}
    index, share = next(iter(shares.items()))
    tdh2.verify_share(key, slowly, un(suite["h"][index - 1]), index, share)
    assert tdh2.recover(key, asked.label, asked.capsule, shares) == un(suite["capsules"][0]["seed"])


def slow_key(suite: Suite) -> tdh2.Key:
    group = slow_groups.group_of(suite["suite"])
    y, bar = (group.decode(un(suite[name])) for name in ("Y", "second_generator"))
    return tdh2.Key(group, suite["suite"], un(suite["committee_key_hash"]), y, bar)
