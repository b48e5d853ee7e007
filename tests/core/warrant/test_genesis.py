"""Who may say what: a genesis is right as a whole or refused, and so is the policy inside it."""

import hashlib
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.mldsa import MlDsaKey
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tlog.cosignature import identity
from escrow.tlog.entry import EntryType
from escrow.tlog.policy import Policy as TlogPolicy
from escrow.tlog.vkey import VerifierKey
from escrow.warrant import strict
from escrow.warrant.entitlement import ENTITLED
from escrow.warrant.genesis import Custodian, Genesis, KeyHolder, Log
from escrow.warrant.log_policy import policy_file
from escrow.warrant.policy import Policy, Reseed, ReseedRules, parse_policy, verify_policy
from tests.core.warrant.office import DAY, GENESIS, POLICY, changed, envelope, key, lock, signed_policy

MESSAGE = Reseed(rule="message", n_max=1)
ROOTS = tuple(key(f"root/{n}").public for n in range(3))


def reseed(rule: Any, n_max: int) -> ReseedRules:
    return ReseedRules(pairs=Reseed(rule=rule, n_max=n_max), groups=MESSAGE)


def pq_vkey(name: str, seed: str) -> str:
    """The ML-DSA-44 verifier key of a cosigner."""
    return identity(name, MlDsaKey.from_seed(Secret(hashlib.sha256(seed.encode()).digest()))).format()


COSIGNERS = (GENESIS.log.origin, *(witness.name for witness in GENESIS.witness_rule.witnesses))
PQ = tuple(pq_vkey(name, name) for name in COSIGNERS)


def test_a_genesis_is_pinned_by_the_hash_of_its_one_spelling() -> None:
    data = strict.encode(GENESIS)
    genesis = Genesis.parse(data)
    assert genesis == GENESIS
    assert genesis.hash == hashlib.sha256(data).digest()
    assert genesis.policy == POLICY
    assert genesis.policy.hash == hashlib.sha256(strict.encode(POLICY)).digest()
    assert list(genesis.custodian_keys) == list(POLICY.custodians)
    with pytest.raises(RefusedError):
        Genesis.parse(data + b"\n")


def test_anyone_reads_log_and_witnesses_from_it() -> None:
    assert GENESIS.log_key.public == key("log").public
    assert GENESIS.witness_rule.k == 3
    assert len(GENESIS.witness_rule.witnesses) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"quorum": 4},
        {"root_threshold": 3, "signed_policy": signed_policy(POLICY, "root/0", "root/1", "root/2").decode()},
        {"issuers": lock(2, "ida", "ivan")},
        {"grace_ms": 30 * DAY - 1},
        {"mmd_ms": 1000},
        {"pq_cosigners": PQ},
    ],
)
def test_a_genesis_at_its_limits_is_accepted(changes: dict[str, Any]) -> None:
    genesis = changed(GENESIS, **changes)
    assert Genesis.parse(strict.encode(genesis)) == genesis


WRONG: dict[str, tuple[dict[str, Any], Reason]] = {
    "more root signatures than roots": ({"root_threshold": 4}, Reason.SCHEMA_INVALID),
    "a quorum of half": ({"quorum": 2}, Reason.SCHEMA_INVALID),
    "a quorum beyond all": ({"quorum": 5}, Reason.SCHEMA_INVALID),
    "a lock nobody can open": ({"issuers": lock(3, "ida", "ivan")}, Reason.SCHEMA_INVALID),
    "a person in both locks": (
        {"approvers": changed(GENESIS.approvers, people=(*GENESIS.approvers.people[:2],
                              changed(GENESIS.approvers.people[2], person="ida")))},
        Reason.SEPARATION_OF_DUTIES,
    ),
    "a person twice in one lock": ({"issuers": lock(1, "ida", "ida")}, Reason.SEPARATION_OF_DUTIES),
    "a key of two people": (
        {"issuers": changed(GENESIS.issuers, people=(GENESIS.issuers.people[0],
                            changed(GENESIS.issuers.people[0], person="ivan")))},
        Reason.SEPARATION_OF_DUTIES,
    ),
    "the relay as authority": ({"authority": GENESIS.relay}, Reason.SEPARATION_OF_DUTIES),
    "a root key as relay": ({"relay": KeyHolder(key=GENESIS.roots[0])}, Reason.SEPARATION_OF_DUTIES),
    "a key that signs everything": ({"relay": KeyHolder(key="01" + "00" * 31)}, Reason.SCHEMA_INVALID),
    "a log key that is none": ({"log": Log(origin="log.test", vkey="nonsense")}, Reason.SCHEMA_INVALID),
    "a witness that is no cosigner": (
        {"witnesses": (*GENESIS.witnesses[:3], VerifierKey.of("w", key("w").public).format())},
        Reason.SCHEMA_INVALID,
    ),
    "a policy signed by one root": (
        {"signed_policy": signed_policy(POLICY, "root/0").decode()},
        Reason.POLICY_UNAUTHORISED,
    ),
    "custodians the policy does not name": (
        {"custodians": (*GENESIS.custodians[:2], Custodian(id="custodian/4", key=key("custodian/4").public.hex()))},
        Reason.POLICY_UNAUTHORISED,
    ),
    "custodians in another order": ({"custodians": GENESIS.custodians[::-1]}, Reason.POLICY_UNAUTHORISED),
    "keys that retire before grace is over": ({"grace_ms": 30 * DAY}, Reason.POLICY_UNAUTHORISED),
    "ingest roots slower than promised": ({"mmd_ms": 999}, Reason.POLICY_UNAUTHORISED),
    "a later policy": (
        {
            "signed_policy": signed_policy(
                changed(POLICY, version=2, previous="00" * 32, lineage="00" * 32), "root/0", "root/1"
            ).decode()
        },
        Reason.POLICY_UNAUTHORISED,
    ),
    "a witness without its post-quantum key": ({"pq_cosigners": PQ[:-1]}, Reason.SCHEMA_INVALID),
    "a post-quantum key too many": ({"pq_cosigners": (*PQ, pq_vkey("w", "w"))}, Reason.SCHEMA_INVALID),
    "post-quantum keys in another order": ({"pq_cosigners": PQ[::-1]}, Reason.SCHEMA_INVALID),
    "a post-quantum key of the old kind": ({"pq_cosigners": (GENESIS.log.vkey, *PQ[1:])}, Reason.SCHEMA_INVALID),
    "a post-quantum key of two cosigners": (
        {"pq_cosigners": (*PQ[:2], *(pq_vkey(name, "shared") for name in COSIGNERS[2:]))},
        Reason.SEPARATION_OF_DUTIES,
    ),
    "another version": ({"version": 2}, Reason.SCHEMA_INVALID),
}  # fmt: skip


@pytest.mark.spec("WRT-1")
@pytest.mark.parametrize(("changes", "reason"), WRONG.values(), ids=WRONG)
def test_a_genesis_with_one_fault_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(EscrowError) as refused:
        Genesis.parse(strict.encode(changed(GENESIS, **changes)))
    assert refused.value.reason is reason


def test_a_verifier_who_has_only_the_policy_file_accepts_the_same_quorums() -> None:
    genesis = changed(GENESIS, pq_cosigners=PQ)
    policy = TlogPolicy.parse(policy_file(genesis))
    assert policy.logs == genesis.log_keys
    assert set(policy.witnesses) == {key for keys in genesis.witness_keys for key in keys}
    for kinds in product((None, 0, 1, 2), repeat=4):
        signed = {key for keys, kind in zip(genesis.witness_keys, kinds, strict=True) if kind is not None
                  for key in (keys if kind == 2 else keys[kind : kind + 1])}  # fmt: skip
        assert policy.suffices(signed) is (sum(kind is not None for kind in kinds) >= 3)
    assert TlogPolicy.parse(policy_file(GENESIS)).witnesses == GENESIS.witness_rule.witnesses


@pytest.mark.spec("WRT-2")
def test_a_policy_needs_enough_distinct_roots_and_its_own_type() -> None:
    assert verify_policy(signed_policy(POLICY, "root/2", "root/0"), ROOTS, 2) == POLICY
    payload = strict.encode(POLICY)
    for unauthorised in (
        signed_policy(POLICY, "root/0"),
        signed_policy(POLICY, "root/0", "root/0"),
        signed_policy(POLICY, "root/0", "ida"),
        envelope(payload, "root/0", "root/1"),
        b"{}",
    ):
        with pytest.raises(RefusedError) as refused:
            verify_policy(unauthorised, ROOTS, 2)
        assert refused.value.reason is Reason.POLICY_UNAUTHORISED


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 4},
        {"t": 4},
        {"t": 0},
        {"custodians": ("custodian/1",) * 3},
        {"reseed": reseed("message", 2)},
        {"reseed": reseed("message", 0)},
        {"reseed": reseed("epoch", 1025)},
        {"reseed": ReseedRules(pairs=MESSAGE, groups=Reseed(rule="message", n_max=2))},
        {"scheme": "clipper"},
        {"scheme": "pq", "custodians": tuple(f"custodian/{i}" for i in range(41)), "n": 41},
        {"epoch_length": 0},
        {"previous": "00" * 32},
        {"version": 2},
        {"version": 2, "previous": "00" * 32},
    ],
)
def test_a_policy_with_one_fault_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_policy(strict.encode(changed(POLICY, **changes)))
    assert refused.value.reason in {Reason.SCHEMA_INVALID, Reason.RANGE_INVALID}


def test_a_lineage_is_the_hash_of_its_first_version() -> None:
    second = changed(POLICY, version=2, previous=POLICY.hash.hex(), lineage=POLICY.hash.hex())
    assert parse_policy(strict.encode(second)).lineage_hash == POLICY.lineage_hash == POLICY.hash
    assert second.hash != POLICY.hash


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.integers(1, 50), st.integers(1, 10**6), st.integers(0, 10**7))
def test_epochs_and_periods_are_arithmetic(origin: int, length: int, per: int, retention: int, after: int) -> None:
    policy: Policy = changed(POLICY, epoch_origin=origin, epoch_length=length, epochs_per_period=per,
                             retention=retention)  # fmt: skip
    time = origin + after
    epoch = policy.epoch_of(time)
    assert policy.epoch_start(epoch) <= time < policy.epoch_end(epoch)
    assert policy.epoch_of(policy.epoch_end(epoch)) == epoch + 1
    period = policy.period_of(epoch)
    start, end = policy.period_bounds(period)
    assert start <= policy.epoch_start(epoch) < policy.epoch_end(epoch) <= end
    assert policy.period_of(policy.epoch_of(end)) == period + 1
    assert policy.retire_at(period) == end + retention


def test_no_epoch_is_before_the_first() -> None:
    with pytest.raises(RefusedError) as refused:
        changed(POLICY, epoch_origin=5).epoch_of(4)
    assert refused.value.reason is Reason.RANGE_INVALID


PARTIES = {
    "root": "root/0",
    "log": "log",
    "relay": "relay",
    "authority": "authority",
    "custodian": "custodian/2",
    "person": "ida",
    "witness": "witness/1",
    "stranger": "mallory",
}


@pytest.mark.spec("WRT-3")
@pytest.mark.parametrize("entry_type", EntryType)
def test_only_the_entitled_log_an_entry(entry_type: EntryType) -> None:
    offices = ENTITLED[entry_type]
    for office, name in PARTIES.items():
        expected = office in offices or "anybody" in offices
        assert GENESIS.entitled(entry_type, key(name).public) == expected


def test_locks_and_intents_have_one_kind_of_submitter() -> None:
    assert ENTITLED[EntryType.WARRANT_SEALED] == {"authority"}
    assert ENTITLED[EntryType.RELEASE_INTENT] == {"custodian"}
    assert ENTITLED[EntryType.INGEST_ROOT] == {"relay"}
    assert [one for one in EntryType if "anybody" in ENTITLED[one]] == [EntryType.DEVICE_LIST]
