import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.kdf import hkdf_expand
from escrow.e2ee.roster import MemberProof, conv_tag, member_salts, root_of_salts, roster_root
from escrow.encoding import u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId
from escrow.secret import Secret
from escrow.tags import T, Tag
from tests.core.e2ee.people import coins

SECRET, POLICY = Secret(coins("conversation")), coins("policy")
accounts = st.sets(st.binary(min_size=32, max_size=32).map(AccountId), min_size=1, max_size=9)
ANNA, BEN = AccountId(coins("anna")), AccountId(coins("ben"))


def refused(proof: MemberProof, root: bytes) -> bool:
    with pytest.raises(RefusedError) as caught:
        proof.verify(root)
    return caught.value.reason is Reason.ROSTER_PATH


def test_a_tag_is_new_for_every_secret_policy_and_epoch() -> None:
    tags = {
        conv_tag(secret, policy, epoch)
        for secret in (SECRET, Secret(coins("other")))
        for policy in (POLICY, coins("other"))
        for epoch in (0, 1)
    }
    assert len(tags) == 8
    assert {len(tag) for tag in tags} == {32}


def test_a_salt_is_new_for_every_epoch_version_and_account() -> None:
    salts = {
        salt
        for epoch in (0, 1)
        for version in (0, 1)
        for salt in member_salts(SECRET, POLICY, epoch, version, (ANNA, BEN)).values()
    }
    assert len(salts) == 8
    info = T(Tag.MEMBER_SALT, POLICY, u64(1), u64(1), BEN)
    assert member_salts(SECRET, POLICY, 1, 1, (ANNA, BEN))[BEN] == hkdf_expand(SECRET.expose(), info, 32)


@given(accounts)
def test_the_relay_computes_the_root_of_the_label_from_salts_alone(members: set[AccountId]) -> None:
    root = roster_root(SECRET, POLICY, 3, 1, members)
    salts = member_salts(SECRET, POLICY, 3, 1, sorted(members, reverse=True))
    assert root_of_salts(salts) == root
    assert roster_root(SECRET, POLICY, 4, 1, members) != root
    assert roster_root(SECRET, POLICY, 3, 2, members) != root


@given(accounts)
def test_each_member_is_shown_to_be_one_and_nobody_else(members: set[AccountId]) -> None:
    salts = member_salts(SECRET, POLICY, 3, 1, members)
    root = root_of_salts(salts)
    for account in members:
        proof = MemberProof.make(salts, account)
        proof.verify(root)
        assert MemberProof.decode(proof.encode()) == proof
    with pytest.raises(RefusedError):
        MemberProof.make(salts, AccountId(coins("stranger")))


def test_every_flipped_byte_of_a_member_proof_is_refused() -> None:
    salts = member_salts(SECRET, POLICY, 3, 1, [ANNA, BEN, AccountId(coins("cleo"))])
    root = root_of_salts(salts)
    data = MemberProof.make(salts, ANNA).encode()
    for place in range(len(data)):
        mutated = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        try:
            proof = MemberProof.decode(mutated)
        except MalformedError:
            continue
        assert refused(proof, root)


def test_a_proof_holds_under_its_own_root_only() -> None:
    salts = member_salts(SECRET, POLICY, 3, 1, [ANNA, BEN])
    assert refused(MemberProof.make(salts, ANNA), roster_root(SECRET, POLICY, 3, 2, [ANNA, BEN]))


def test_an_opened_leaf_does_not_tell_who_the_others_are() -> None:
    salts = member_salts(SECRET, POLICY, 3, 1, [ANNA, BEN])
    opened = MemberProof.make(salts, ANNA)
    for guess in (ANNA, BEN):
        tried = {ANNA: opened.salt, guess: opened.salt}
        assert root_of_salts(tried) != root_of_salts(salts)


def test_a_path_that_is_no_row_of_hashes_is_malformed() -> None:
    proof = MemberProof(ANNA, bytes(32), 0, 1, (b"short",))
    with pytest.raises(MalformedError):
        MemberProof.decode(proof.encode())
