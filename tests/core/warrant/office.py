"""A whole deployment on paper: keys by name, its policy, its genesis, and warrants that are right unless changed."""

import hashlib
from functools import cache
from typing import Any

import msgspec

from escrow.capsule.label import Label
from escrow.crypto.sign import SigningKey
from escrow.tlog.vkey import KeyType, VerifierKey
from escrow.warrant import dsse, strict
from escrow.warrant.documents import (
    FIELDS,
    PAYLOAD_TYPE,
    EpochRange,
    Target,
    WarrantPayload,
    Window,
    recipient_statement,
)
from escrow.warrant.genesis import Custodian, Genesis, KeyHolder, Lock, Log, Person
from escrow.warrant.policy import PAYLOAD_TYPE as POLICY_TYPE
from escrow.warrant.policy import Limits, Policy, Reseed, ReseedRules

HOUR = 3_600_000
DAY = 24 * HOUR
ORIGIN = "log.test/doublelock"
SALT = bytes(range(32))
TARGET = hashlib.sha256(b"account of bob").digest()
OTHER = hashlib.sha256(b"account of carol").digest()


@cache
def key(name: str) -> SigningKey:
    """The signing key of whoever has this name."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


POLICY = Policy(
    version=1,
    previous=None,
    lineage=None,
    scheme="tdh2-ed25519",
    custodians=("custodian/1", "custodian/2", "custodian/3"),
    n=3,
    t=2,
    epoch_origin=0,
    epoch_length=DAY,
    epochs_per_period=7,
    reseed=ReseedRules(pairs=Reseed(rule="message", n_max=1), groups=Reseed(rule="message", n_max=1)),
    retention=30 * DAY,
    relay_retention=60 * DAY,
    limits=Limits(
        max_window=5 * DAY,
        max_duration=10 * DAY,
        max_capsules=1000,
        max_identity_keys=10,
        max_targets=3,
        min_activation_delay_s=60,
        max_nondisclosure=90 * DAY,
        urgent_capsules=5,
        agency_daily_cap=400,
        authority_daily_cap=450,
        target_daily_cap=300,
        global_daily_cap=500,
        max_extension=60 * DAY,
        disclosure_grace=DAY,
        notice_within=7 * DAY,
        max_notice_delay=30 * DAY,
    ),
    ingest_cadence=1000,
)


def signed_policy(policy: Policy, *signers: str) -> bytes:
    """The DSSE envelope of a policy."""
    return envelope(strict.encode(policy), *signers, payload_type=POLICY_TYPE)


def envelope(payload: bytes, *signers: str, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """A DSSE envelope with the signatures of the named."""
    signatures = tuple(dsse.sign(payload_type, payload, key(name)) for name in signers)
    return dsse.Envelope(payload_type, payload, signatures).encode()


def lock(threshold: int, *people: str) -> Lock:
    """A lock of the named people."""
    return Lock(threshold=threshold, people=tuple(Person(person=name, key=key(name).public.hex()) for name in people))


GENESIS = Genesis(
    version=1,
    log=Log(origin=ORIGIN, vkey=VerifierKey.of(ORIGIN, key("log").public).format()),
    witnesses=tuple(
        VerifierKey.of(f"witness.test/{n}", key(f"witness/{n}").public, KeyType.COSIGNATURE).format()
        for n in range(1, 5)
    ),
    quorum=3,
    roots=tuple(key(f"root/{n}").public.hex() for n in range(3)),
    root_threshold=2,
    signed_policy=signed_policy(POLICY, "root/0", "root/1").decode(),
    issuers=lock(1, "ida", "ivan"),
    approvers=lock(2, "anna", "abe", "ada"),
    relay=KeyHolder(key=key("relay").public.hex()),
    authority=KeyHolder(key=key("authority").public.hex()),
    custodians=tuple(
        Custodian(id=name, key=key(name).public.hex()) for name in ("custodian/1", "custodian/2", "custodian/3")
    ),
    fresh_ms=600_000,
    skew_ms=300_000,
    grace_ms=600_000,
    mmd_ms=5_000,
    effect_delay_ms=0,
    lab=True,
)

BOTH_LOCKS = ("ida", "anna", "abe")


def changed(document: Any, **changes: Any) -> Any:
    """The document with other values in some fields, unchecked."""
    return msgspec.structs.replace(document, **changes)


def warrant(**changes: Any) -> WarrantPayload:
    """A warrant on Bob for two days, with a proof of possession that fits whatever was changed."""
    names: dict[str, Any] = {
        "warrant_id": "11" * 16,
        "authority": key("authority").public.hex(),
        "instrument_sha256": "22" * 32,
        "policy": POLICY.hash.hex(),
        "targets": (Target(account=TARGET.hex(), device=None),),
        "direction": "SENT_BY",
        "conv_tags": None,
        "epochs": (EpochRange(policy=POLICY.hash.hex(), first=2, end=4),),
        "message_window": Window(start=2 * DAY, end=4 * DAY),
        "kind": "HISTORICAL",
        "suites": (1,),
        "not_before": 10 * DAY,
        "not_after": 15 * DAY,
        "activation_delay_s": 60,
        "max_capsules": 100,
        "max_identity_keys": 0,
        "request_key": key("agency").public.hex(),
        "recipient_hpke_key": "33" * 1216,
        "urgent": False,
        "approve_by": 0,
        "nondisclosure_until": 40 * DAY,
        "supersedes": None,
        "log_origin": ORIGIN,
        "salts": {name: hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() for name in FIELDS},
    } | changes
    if "recipient_pop" not in names:
        statement = recipient_statement(bytes.fromhex(names["warrant_id"]), bytes.fromhex(names["recipient_hpke_key"]))
        names["recipient_pop"] = key("agency").sign(statement).hex()
    return WarrantPayload(**names)


def label(**changes: Any) -> Label:
    """A label of a message of Bob's in epoch 2."""
    names: dict[str, Any] = {
        "suite": 1,
        "mode": 1,
        "policy_hash": POLICY.hash,
        "committee_key_hash": b"k" * 32,
        "conv_tag": b"c" * 32,
        "roster_version": 0,
        "roster_root": b"r" * 32,
        "sender_account": TARGET,
        "sender_device": 1,
        "epoch": 2,
        "chain_id": b"i" * 16,
        "chain_no": 0,
        "n_max": 1,
    } | changes
    return Label(**names)
