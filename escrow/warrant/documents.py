"""The warrant itself: the payload that both locks sign, and the checks it must pass on its own and under a policy.

No wildcard has a spelling here: targets are named one by one. No committee is named either: the committee of an
epoch follows from the log. Who signed is ``locks``; what an item must be to fall under it is ``scope``.
"""

import hashlib
from typing import Annotated, Final, Literal

from msgspec import Meta

from escrow.crypto import sign
from escrow.errors import Reason, RefusedError
from escrow.tags import T, Tag
from escrow.warrant import strict
from escrow.warrant.genesis import Genesis
from escrow.warrant.intervals import Intervals
from escrow.warrant.policy import Policy
from escrow.warrant.strict import Bytes16, Bytes32, Bytes64, Name, Number

PAYLOAD_TYPE: Final = "application/vnd.escrow.warrant.v1+json"

RECIPIENT_KEY_SIZE: Final = 1216
"""Bytes of an X-Wing public key."""

_WILDCARDS: Final = frozenset({"", "*", "all", "any", "everyone"})

_Device = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
_RecipientKey = Annotated[str, Meta(pattern=rf"\A[0-9a-f]{{{2 * RECIPIENT_KEY_SIZE}}}\Z")]


class Target(strict.Document, frozen=True):
    """One account, or one device of it."""

    account: Bytes32
    device: _Device | None


class EpochRange(strict.Document, frozen=True):
    """The epochs ``[first, end)`` of one policy."""

    policy: Bytes32
    first: Number
    end: Number


class Window(strict.Document, frozen=True):
    """``[start, end)`` in milliseconds of the relay's ingest time."""

    start: Number
    end: Number


class WarrantPayload(strict.Document, frozen=True):
    """What the locks sign. Times in milliseconds; binary values in hexadecimal digits."""

    warrant_id: Bytes16
    authority: Bytes32
    """The key of the authority that keeps the case."""
    instrument_sha256: Bytes32
    """Hash of the legal instrument, which stays outside."""
    policy: Bytes32
    """The policy whose limits govern."""
    targets: tuple[Target, ...]
    direction: Literal["SENT_BY", "CONVERSATION_OF"]
    conv_tags: tuple[Bytes32, ...] | None
    """Only these conversations; none: every conversation of the targets."""
    epochs: tuple[EpochRange, ...]
    message_window: Window
    kind: Literal["HISTORICAL", "PROSPECTIVE"]
    suites: tuple[Number, ...]
    not_before: Number
    not_after: Number
    activation_delay_s: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
    max_capsules: Number
    max_identity_keys: Number
    """One of these two is 0; the other is how many of its units the policy's scheme may open."""
    request_key: Bytes32
    """Ed25519 key of the agency, for this warrant alone."""
    recipient_hpke_key: _RecipientKey
    recipient_pop: Bytes64
    """By ``request_key`` over ``recipient_statement``."""
    urgent: bool
    approve_by: Number
    """When an urgent warrant must have its second lock; 0 if it is not urgent."""
    nondisclosure_until: Number
    supersedes: Bytes32 | None
    """Seal tag of the warrant that this one replaces: it opens nothing before that one is cancelled."""
    log_origin: Name
    salts: dict[str, Bytes16]
    """One fresh salt per field, so that single fields can be disclosed later."""

    @property
    def id(self) -> bytes:
        """16 bytes."""
        return bytes.fromhex(self.warrant_id)

    @property
    def quota(self) -> int:
        """How many release units may be opened, capsules or identity keys."""
        return self.max_identity_keys or self.max_capsules

    @property
    def policy_hash(self) -> bytes:
        """32 bytes."""
        return bytes.fromhex(self.policy)

    @property
    def request_public(self) -> bytes:
        """32 bytes: whose signature a release request needs."""
        return bytes.fromhex(self.request_key)

    @property
    def recipient_public(self) -> bytes:
        """1216 bytes: to whom shares are encrypted."""
        return bytes.fromhex(self.recipient_hpke_key)


FIELDS: Final = tuple(name for name in WarrantPayload.__struct_fields__ if name != "salts")
"""The fields in their fixed order: that of ``field_root`` and of disclosures."""


def recipient_statement(warrant_id: bytes, recipient_key: bytes) -> bytes:
    """What the request key signs to show that the recipient key is meant for this warrant."""
    return T(Tag.RECIPIENT_POP, warrant_id, hashlib.sha256(recipient_key).digest())


def parse_warrant(data: bytes) -> WarrantPayload:
    """Read the verified payload bytes; ``SCHEMA_INVALID``, ``WILDCARD``, ``TOO_LARGE``."""
    value = strict.tree(data)
    # SPEC WRT-5: a warrant that names everybody, in whatever way, is refused.
    if isinstance(value, dict) and _names_everybody(value.get("targets")):
        raise RefusedError(Reason.WILDCARD)
    payload = strict.convert(value, WarrantPayload)
    if payload.salts.keys() != set(FIELDS):
        raise RefusedError(Reason.SCHEMA_INVALID, "there is one salt for each field and no other")
    return payload


def validate(payload: WarrantPayload, policy: Policy) -> None:
    """Check a warrant against the policy that governs it.

    Raises ``POLICY_UNAUTHORISED``, ``WILDCARD``, ``RANGE_INVALID``, ``SCHEMA_INVALID``, ``RECIPIENT_KEY_INVALID``.
    """
    if {payload.policy, *(epochs.policy for epochs in payload.epochs)} != {policy.hash.hex()}:
        raise RefusedError(Reason.POLICY_UNAUTHORISED, "the warrant cites another policy")
    _check_targets(payload, policy)
    _check_window(payload, policy)
    _check_validity(payload, policy)
    _check_recipient(payload)


def check_home(payload: WarrantPayload, genesis: Genesis) -> None:
    """Check that the warrant belongs to this deployment, and that whoever asks holds no office in it.

    Raises ``SEAL_NOT_LOGGED``, ``ROLE_KEY_UNAUTHORISED``, ``SEPARATION_OF_DUTIES``.
    """
    if payload.log_origin != genesis.log.origin:
        raise RefusedError(Reason.SEAL_NOT_LOGGED, "the warrant belongs to another log")
    if payload.authority != genesis.authority.key:
        raise RefusedError(Reason.ROLE_KEY_UNAUTHORISED, "the warrant is of another authority")
    # SPEC WRT-7: the applicant holds neither lock, nor any other office of the deployment.
    if payload.request_public in genesis.keys:
        raise RefusedError(Reason.SEPARATION_OF_DUTIES, "the request key holds an office")


def _names_everybody(targets: object) -> bool:
    if not isinstance(targets, list):
        return False
    accounts = [target.get("account") for target in targets if isinstance(target, dict)]
    return not targets or any(isinstance(account, str) and account.lower() in _WILDCARDS for account in accounts)


def _check_targets(payload: WarrantPayload, policy: Policy) -> None:
    if not payload.targets:
        raise RefusedError(Reason.WILDCARD)
    if payload.direction == "CONVERSATION_OF" and any(target.device is not None for target in payload.targets):
        raise RefusedError(Reason.SCHEMA_INVALID, "a conversation is of an account, not of a device")
    if payload.conv_tags is not None and payload.kind == "PROSPECTIVE":
        raise RefusedError(Reason.SCHEMA_INVALID, "the tags of future conversations do not exist yet")
    _require(
        (len(payload.targets) <= policy.limits.max_targets, "more targets than the policy admits"),
        (len(set(payload.targets)) == len(payload.targets), "a target stands twice"),
        (payload.conv_tags != (), "no conversation is named"),
        (set(payload.suites) == {policy.suite}, "the suites are not the policy's"),
    )
    # SPEC IBE-9: a warrant bounds what its suite opens, and promises no other bound.
    capsules, keys, limits = payload.max_capsules, payload.max_identity_keys, policy.limits
    if policy.opens_identities:
        _require(
            (capsules == 0, "identity keys open however many capsules there are: no number of them is promised"),
            (1 <= keys <= limits.max_identity_keys, "no identity keys, or more than the policy admits"),
        )
        _check_width(payload, policy)
    else:
        _require(
            (1 <= capsules <= limits.max_capsules, "no capsules, or more than the policy admits"),
            (keys == 0, "this suite has no identity keys"),
        )


def _check_width(payload: WarrantPayload, policy: Policy) -> None:
    """An identity key is of an account, perhaps with all its conversations: nothing narrower is promised."""
    # SPEC IBE-6: a warrant that is narrower than an identity key, or needs keys wider than itself, is refused.
    _require(
        (all(target.device is None for target in payload.targets), "identity keys are of accounts, not of devices"),
        # Under its tag others may have spoken before the target came, and one key opens both.
        (payload.direction == "SENT_BY", "identity keys are of those who speak, whoever listens"),
        (
            not policy.opens_accounts or payload.conv_tags is None,
            "identity keys of whole accounts are not divided by conversation",
        ),
    )


def _check_window(payload: WarrantPayload, policy: Policy) -> None:
    # SPEC WRT-6: a range that is empty, or beyond what the policy admits, is refused.
    window = payload.message_window
    _require(
        (policy.epoch_origin <= window.start < window.end, "the message window is empty"),
        (window.end - window.start <= policy.limits.max_window, "the message window is longer than admitted"),
        (all(epochs.first < epochs.end for epochs in payload.epochs), "a range of epochs is empty"),
    )
    covered = Intervals.of((policy.epoch_start(part.first), policy.epoch_start(part.end)) for part in payload.epochs)
    # Chains of one message are filtered by the window itself, and one may arrive just after its epoch; longer
    # chains are admitted by their epoch alone, so there the epochs may only round the window out.
    late = 1 if policy.has_single_messages else 0
    first, last = policy.epoch_of(window.start) - late, policy.epoch_of(window.end - 1)
    _require(
        (Intervals.of([(window.start, window.end)]) <= covered, "the message window exceeds the epochs"),
        (all(first <= part.first and part.end <= last + 1 for part in payload.epochs), "epochs beside the window"),
    )


def _check_validity(payload: WarrantPayload, policy: Policy) -> None:
    # What one lock has changed in haste could not be undone if the other refuses it: so both sign a successor.
    if payload.supersedes is not None and payload.urgent:
        raise RefusedError(Reason.SCHEMA_INVALID, "a warrant that replaces another has both locks")
    limits = policy.limits
    secrecy = payload.nondisclosure_until - payload.not_before
    in_time = payload.not_before < payload.approve_by <= payload.not_after if payload.urgent else not payload.approve_by
    _require(
        (payload.not_before < payload.not_after, "the warrant is never in force"),
        (payload.not_after - payload.not_before <= limits.max_duration, "the warrant lasts longer than admitted"),
        (payload.activation_delay_s >= limits.min_activation_delay_s, "the activation delay is too short"),
        (payload.nondisclosure_until >= payload.not_after, "secrecy ends before the warrant does"),
        (secrecy <= limits.max_nondisclosure, "secrecy lasts longer than admitted"),
        (in_time, "an urgent warrant, and no other, is approved later and before its end"),
    )


def _check_recipient(payload: WarrantPayload) -> None:
    # SPEC WRT-8: a recipient key that the request key has not signed is refused.
    statement = recipient_statement(payload.id, payload.recipient_public)
    try:
        sign.verify(payload.request_public, statement, bytes.fromhex(payload.recipient_pop))
    except RefusedError as error:
        raise RefusedError(Reason.RECIPIENT_KEY_INVALID) from error


def _require(*rules: tuple[bool, str]) -> None:
    """Refuse at the first rule that does not hold."""
    for holds, otherwise in rules:
        if not holds:
            raise RefusedError(Reason.RANGE_INVALID, otherwise)
