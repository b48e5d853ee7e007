"""The genesis: who may say what in one deployment, pinned by hash in every party from its first start.

Everything authorised goes back to here: the root keys, the first policy, the people behind the two locks, the
keys of relay, custodians, authority, log and witnesses, and the few bounds on time that all parties share.
Not here: how log and witness keys are checked (``tlog``), and accounts, which anybody may open.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

from msgspec import Meta

from escrow.crypto.sign import check_public
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tlog.entry import EntryType
from escrow.tlog.quorum import Quorum
from escrow.tlog.vkey import KeyType, VerifierKey
from escrow.warrant import strict
from escrow.warrant.entitlement import ANYBODY, AUTHORITY, CUSTODIAN, ENTITLED, LOG, RELAY, ROOT
from escrow.warrant.policy import Policy, verify_policy
from escrow.warrant.strict import Bytes32, Count, Length, Name, Number

_Vkey = Annotated[str, Meta(min_length=1, max_length=400)]
_PqVkey = Annotated[str, Meta(min_length=1, max_length=2_200)]


class Log(strict.Document, frozen=True):
    """The transparency log: its origin line and its C2SP verifier key."""

    origin: Name
    vkey: _Vkey


class Person(strict.Document, frozen=True):
    """A human being who may sign, and the one key that is theirs."""

    person: Name
    key: Bytes32


class Lock(strict.Document, frozen=True):
    """One of the two locks: ``threshold`` of ``people`` together."""

    threshold: Count
    people: Annotated[tuple[Person, ...], Meta(min_length=1, max_length=64)]

    @property
    def keys(self) -> Mapping[bytes, str]:
        """Public key (32 bytes) -> person."""
        return {bytes.fromhex(one.key): one.person for one in self.people}


class KeyHolder(strict.Document, frozen=True):
    """A party that signs with one Ed25519 key."""

    key: Bytes32

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return bytes.fromhex(self.key)


class Custodian(KeyHolder, frozen=True):
    """A custodian, under the id by which policies name it."""

    id: Name


class Genesis(strict.Document, frozen=True, dict=True):
    """The document. It has one spelling, so its hash is a property of the value. Times in milliseconds."""

    version: Literal[1]
    log: Log
    witnesses: Annotated[tuple[_Vkey, ...], Meta(min_length=1, max_length=64)]
    quorum: Count
    roots: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=64)]
    root_threshold: Count
    signed_policy: str
    """The DSSE envelope of the first policy, as text."""
    issuers: Lock
    approvers: Lock
    relay: KeyHolder
    authority: KeyHolder
    custodians: Annotated[tuple[Custodian, ...], Meta(min_length=1, max_length=255)]
    fresh_ms: Length
    """Oldest checkpoint anybody acts on."""
    skew_ms: Number
    """Greatest difference between clocks."""
    grace_ms: Number
    """How long after its end an epoch still takes messages."""
    mmd_ms: Length
    """Longest time from a receipt to its ingest root in the log."""
    effect_delay_ms: Number
    """From a logged change of authority to its effect."""
    lab: bool
    """Whether this deployment may be driven by a clock that is not the world's."""
    pq_cosigners: Annotated[tuple[_PqVkey, ...], Meta(max_length=65)] = ()
    """The ML-DSA-44 keys of the log and then of the witnesses, or none. The parties count by the Ed25519 keys; these
    are for whoever verifies a checkpoint under a tlog-policy file of their own choice (docs/spec/log.md)."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read and check a genesis.

        Raises ``SCHEMA_INVALID``, ``TOO_LARGE``, ``POLICY_UNAUTHORISED`` or ``SEPARATION_OF_DUTIES``.
        """
        genesis = strict.decode_canonical(data, cls, most=1 << 18)
        _check_parties(genesis)
        _check_policy(genesis)
        return genesis

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the document, 32 bytes."""
        return hashlib.sha256(strict.encode(self)).digest()

    @cached_property
    def policy(self) -> Policy:
        """The first policy, verified under the root keys."""
        return verify_policy(self.signed_policy.encode(), self.root_keys, self.root_threshold)

    @cached_property
    def log_key(self) -> VerifierKey:
        """The key under which checkpoints stand."""
        return VerifierKey.parse(self.log.vkey)

    @cached_property
    def witness_rule(self) -> Quorum:
        """How many of which witnesses make a checkpoint count."""
        return Quorum(tuple(VerifierKey.parse(vkey) for vkey in self.witnesses), self.quorum)

    @cached_property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The keys under which checkpoints stand: the one that parties check, then the ML-DSA-44 one, if there is."""
        return (self.log_key, *self._pq_keys[:1])

    @cached_property
    def witness_keys(self) -> tuple[tuple[VerifierKey, ...], ...]:
        """The keys of each witness: the one that counts in ``witness_rule``, then the ML-DSA-44 one, if there is."""
        extra = self._pq_keys[1:]
        return tuple((key, *extra[place : place + 1]) for place, key in enumerate(self.witness_rule.witnesses))

    @cached_property
    def _pq_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(VerifierKey.parse(vkey) for vkey in self.pq_cosigners)

    @property
    def root_keys(self) -> tuple[bytes, ...]:
        """32 bytes each."""
        return tuple(bytes.fromhex(root) for root in self.roots)

    @cached_property
    def keys(self) -> frozenset[bytes]:
        """Every key that holds an office, 32 bytes each."""
        parties = {self.relay.public, self.authority.public, self.log_key.public}
        witnesses = {witness.public for witness in self.witness_rule.witnesses}
        people = self.issuers.keys.keys() | self.approvers.keys.keys()
        return frozenset(parties | witnesses | people | set(self.root_keys) | set(self.custodian_keys.values()))

    @cached_property
    def custodian_keys(self) -> Mapping[str, bytes]:
        """Custodian id -> identity key, in the order of committee indices 1..n."""
        return {custodian.id: custodian.public for custodian in self.custodians}

    @cached_property
    def committee(self) -> tuple[bytes, ...]:
        """The identity keys of the custodians that the policy names, in its order."""
        return tuple(self.custodian_keys[name] for name in self.policy.custodians)

    def entitled(self, entry_type: EntryType, submitter: bytes) -> bool:
        """Whether the key ``submitter`` may log entries of this type; the log and every follower ask this.

        Accounts are open to anybody: whose device list a ``DEVICE_LIST`` is, the list itself must show.
        """
        # SPEC WRT-3: an entry from a key that is not entitled to its type is not logged.
        offices = ENTITLED[entry_type]
        return ANYBODY in offices or self._offices.get(submitter) in offices

    @cached_property
    def _offices(self) -> Mapping[bytes, str]:
        offices = dict.fromkeys(self.root_keys, ROOT)
        offices |= dict.fromkeys(self.custodian_keys.values(), CUSTODIAN)
        return offices | {self.log_key.public: LOG, self.relay.public: RELAY, self.authority.public: AUTHORITY}


def _check_parties(genesis: Genesis) -> None:
    # SPEC WRT-1: a key or a person that stands in two places, or a threshold nobody can meet, is refused.
    if genesis.root_threshold > len(genesis.roots):
        raise RefusedError(Reason.SCHEMA_INVALID, "more root signatures are asked for than there are root keys")
    if not len(genesis.witnesses) < 2 * genesis.quorum <= 2 * len(genesis.witnesses):
        raise RefusedError(Reason.SCHEMA_INVALID, "a quorum is more than half of the witnesses")
    for lock in (genesis.issuers, genesis.approvers):
        if lock.threshold > len(lock.people):
            raise RefusedError(Reason.SCHEMA_INVALID, "a lock asks for more people than it has")
    people = [one.person for lock in (genesis.issuers, genesis.approvers) for one in lock.people]
    if len(set(people)) != len(people):
        raise RefusedError(Reason.SEPARATION_OF_DUTIES, "a person stands twice in the locks")
    try:
        for key in genesis.keys:
            check_public(key)
    except MalformedError as error:
        raise RefusedError(Reason.SCHEMA_INVALID, error.detail) from error
    _check_cosigners(genesis)
    places = len(genesis.roots) + len(people) + len(genesis.custodians) + 3 + len(genesis.witnesses)
    if len(genesis.keys) != places:
        raise RefusedError(Reason.SEPARATION_OF_DUTIES, "a key stands in two places")


def _check_cosigners(genesis: Genesis) -> None:
    """ML-DSA-44 keys come for all cosigners or for none, each under the name of its Ed25519 key."""
    pairs = [keys for keys in (genesis.log_keys, *genesis.witness_keys) if len(keys) > 1]
    if not pairs and not genesis.pq_cosigners:
        return
    if len(pairs) != len(genesis.pq_cosigners) or len(pairs) != 1 + len(genesis.witnesses):
        raise RefusedError(Reason.SCHEMA_INVALID, "post-quantum keys are named for the log and every witness, or none")
    if any(extra.type is not KeyType.PQ_COSIGNATURE or extra.name != key.name for key, extra in pairs):
        raise RefusedError(Reason.SCHEMA_INVALID, "a cosigner has an ML-DSA-44 key under its own name")
    if len(set(genesis.pq_cosigners)) != len(pairs) or len({extra.public for _, extra in pairs}) != len(pairs):
        raise RefusedError(Reason.SEPARATION_OF_DUTIES, "a key stands in two places")


def _check_policy(genesis: Genesis) -> None:
    policy = genesis.policy
    if policy.version != 1:
        raise RefusedError(Reason.POLICY_UNAUTHORISED, "the first policy is not version 1")
    if policy.custodians != tuple(genesis.custodian_keys):
        raise RefusedError(Reason.POLICY_UNAUTHORISED, "the policy names other custodians, or in another order")
    if policy.retention <= genesis.grace_ms:
        raise RefusedError(Reason.POLICY_UNAUTHORISED, "a key would retire while messages may still arrive")
    if policy.ingest_cadence > genesis.mmd_ms:
        raise RefusedError(Reason.POLICY_UNAUTHORISED, "ingest roots would come later than promised")
