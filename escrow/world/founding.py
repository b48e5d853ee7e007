"""Founding a deployment: every key from one seed, and the genesis that names them.

For a laboratory, where one person plays all parties. In the field each party makes its own key and the genesis is
put together from public keys alone; nothing here would then exist in one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.crypto.kdf import hkdf_expand
from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.ids import Party
from escrow.secret import Secret
from escrow.tags import T, Tag
from escrow.tlog.cosignature import identity
from escrow.tlog.vkey import KeyType, VerifierKey
from escrow.warrant import dsse, strict
from escrow.warrant.genesis import Custodian, Genesis, KeyHolder, Lock, Log, Person
from escrow.warrant.policy import PAYLOAD_TYPE, Limits, Policy, Reseed, ReseedRules, SchemeName

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ISSUERS = ("judge-imani", "judge-jonas")
APPROVERS = ("commissioner-kaya", "commissioner-lena")
ROOTS = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever founds a deployment may choose. Times in milliseconds."""

    scheme: SchemeName = "tdh2-ed25519"
    custodians: int = 5
    threshold: int = 3
    witnesses: int = 4
    quorum: int = 3
    epoch_origin: int = 0
    epoch_length: int = DAY
    epochs_per_period: int = 36_500
    retention: int = 30 * DAY
    relay_retention: int = 3650 * DAY
    ingest_cadence: int = 6 * HOUR
    most_inclusion_delay: int = DAY
    activation_delay_s: int = 60
    effect_delay: int = 0
    """From a logged order of the roots to its effect."""
    pair_chain: int = 1
    """Messages under one seed in a conversation of two; in ``group_chain``, of more."""
    group_chain: int = 1024


@dataclass(frozen=True, slots=True)
class Founding:
    """The genesis, its exact bytes, and the signing seeds of all parties and people."""

    genesis: Genesis
    document: bytes
    parties: Mapping[Party, Secret]
    people: Mapping[str, Secret]
    roots: Mapping[str, Secret]
    """By name: ``root-1`` and so on."""


def found(seed: Secret, terms: Terms) -> Founding:
    """Make a deployment; the same seed and terms make the same one."""
    custodians = [Party(f"custodian/{index}") for index in range(1, terms.custodians + 1)]
    witnesses = [Party(f"witness/{index}") for index in range(1, terms.witnesses + 1)]
    offices = [Party("log"), Party("relay"), Party("authority"), *custodians, *witnesses]
    parties = {party: derive(seed, party) for party in offices}
    people = {name: derive(seed, f"person/{name}") for name in (*ISSUERS, *APPROVERS)}
    root_seeds = {f"root-{place + 1}": derive(seed, f"root/{place}") for place in range(ROOTS)}
    roots = [SigningKey.from_seed(one) for one in root_seeds.values()]

    policy = strict.encode(_policy(terms, [str(party) for party in custodians]))
    signatures = tuple(dsse.sign(PAYLOAD_TYPE, policy, root) for root in roots)
    signed_policy = dsse.Envelope(PAYLOAD_TYPE, policy, signatures).encode().decode()
    origin = "doublelock.lab/log"
    vkeys = tuple(
        VerifierKey.of(f"doublelock.lab/{party}", _public(parties[party]), KeyType.COSIGNATURE).format()
        for party in witnesses
    )
    log_vkey = VerifierKey.of(origin, _public(parties[Party("log")])).format()
    genesis = Genesis(
        version=1,
        log=Log(origin=origin, vkey=log_vkey),
        witnesses=vkeys,
        quorum=terms.quorum,
        pq_cosigners=tuple(
            identity(VerifierKey.parse(vkey).name, MlDsaKey.beside(parties[party])).format()
            for party, vkey in zip((Party("log"), *witnesses), (log_vkey, *vkeys), strict=True)
        ),
        roots=tuple(root.public.hex() for root in roots),
        root_threshold=2,
        signed_policy=signed_policy,
        issuers=_lock(ISSUERS, people),
        approvers=_lock(APPROVERS, people),
        relay=KeyHolder(key=_public(parties[Party("relay")]).hex()),
        authority=KeyHolder(key=_public(parties[Party("authority")]).hex()),
        custodians=tuple(Custodian(id=str(party), key=_public(parties[party]).hex()) for party in custodians),
        fresh_ms=10 * MINUTE,
        skew_ms=5 * MINUTE,
        grace_ms=10 * MINUTE,
        mmd_ms=terms.most_inclusion_delay,
        effect_delay_ms=terms.effect_delay,
        lab=True,
    )
    document = strict.encode(genesis)
    return Founding(Genesis.parse(document), document, parties, people, root_seeds)


def _policy(terms: Terms, custodians: list[str]) -> Policy:
    return Policy(
        version=1,
        previous=None,
        lineage=None,
        scheme=terms.scheme,
        custodians=tuple(custodians),
        n=terms.custodians,
        t=terms.threshold,
        epoch_origin=terms.epoch_origin,
        epoch_length=terms.epoch_length,
        epochs_per_period=terms.epochs_per_period,
        reseed=ReseedRules(pairs=_reseed(terms.pair_chain), groups=_reseed(terms.group_chain)),
        retention=terms.retention,
        relay_retention=terms.relay_retention,
        limits=Limits(
            max_window=3650 * DAY,
            max_duration=180 * DAY,
            max_capsules=1_000_000,
            max_identity_keys=10_000,
            max_targets=16,
            min_activation_delay_s=terms.activation_delay_s,
            max_nondisclosure=365 * DAY,
            urgent_capsules=100,
            agency_daily_cap=1_000_000,
            authority_daily_cap=1_000_000,
            target_daily_cap=1_000_000,
            global_daily_cap=1_000_000,
            max_extension=365 * DAY,
            disclosure_grace=DAY,
            notice_within=7 * DAY,
            max_notice_delay=90 * DAY,
        ),
        ingest_cadence=terms.ingest_cadence,
    )


def _reseed(most: int) -> Reseed:
    return Reseed(rule="message" if most == 1 else "epoch", n_max=most)


def _lock(names: tuple[str, ...], people: Mapping[str, Secret]) -> Lock:
    return Lock(threshold=1, people=tuple(Person(person=name, key=_public(people[name]).hex()) for name in names))


def _public(seed: Secret) -> bytes:
    return SigningKey.from_seed(seed).public


def derive(seed: Secret, name: str) -> Secret:
    """The signing seed of whoever is called ``name``, also of parties that come after the founding."""
    return Secret(hkdf_expand(seed.expose(), T(Tag.COINS, b"founding", name.encode()), 32))
