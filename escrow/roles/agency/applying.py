"""Writing an application: the payload that both locks are asked to sign, and the two keys of its warrant.

Keys are made for one warrant each, so that shares released under one open nothing under another.
"""

from escrow.crypto.coins import Coins
from escrow.crypto.hpke import RecipientKey
from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.agency.commands import NewApplication, Succeed
from escrow.roles.agency.state import Investigation
from escrow.secret import Secret
from escrow.warrant import strict
from escrow.warrant.documents import FIELDS, WarrantPayload, parse_warrant, recipient_statement, validate
from escrow.warrant.genesis import Genesis
from escrow.warrant.sealing import seal_tag


def write(genesis: Genesis, wanted: NewApplication, coins: Coins, supersedes: bytes | None = None) -> Investigation:
    """The application; raises what ``validate`` raises if the policy does not admit it.

    ``supersedes`` is the seal tag of the warrant that it replaces, if any.
    """
    policy = genesis.policy
    warrant_id = coins.take("warrant", 16)
    request_seed, recipient_seed = (Secret(coins.take(use, 32)) for use in ("request-key", "recipient-key"))
    request_key = SigningKey.from_seed(request_seed)
    recipient = RecipientKey.from_seed(recipient_seed.expose()).public
    start, end = wanted.window
    # An item may reach the relay just after the end of its epoch, so the window's first epoch is one before.
    first = max(0, policy.epoch_of(max(start, policy.epoch_origin)) - (1 if policy.has_single_messages else 0))
    fields = {
        "warrant_id": warrant_id.hex(),
        "authority": genesis.authority.key,
        "instrument_sha256": wanted.instrument.hex(),
        "policy": policy.hash.hex(),
        "targets": [{"account": account.hex(), "device": None} for account in wanted.targets],
        "direction": wanted.direction,
        "conv_tags": None,
        "epochs": [
            {
                "policy": policy.hash.hex(),
                "first": first,
                "end": policy.epoch_of(max(end - 1, policy.epoch_origin)) + 1,
            }
        ],
        "message_window": {"start": start, "end": end},
        "kind": wanted.kind,
        "suites": [policy.suite],
        "not_before": wanted.not_before,
        "not_after": wanted.not_after,
        "activation_delay_s": max(wanted.activation_delay_s, policy.limits.min_activation_delay_s),
        "max_capsules": wanted.max_capsules,
        "max_identity_keys": wanted.max_identity_keys,
        "request_key": request_key.public.hex(),
        "recipient_hpke_key": recipient.hex(),
        "recipient_pop": request_key.sign(recipient_statement(warrant_id, recipient)).hex(),
        "urgent": bool(wanted.approve_by),
        "approve_by": wanted.approve_by,
        "nondisclosure_until": max(wanted.nondisclosure_until, wanted.not_after),
        "supersedes": None if supersedes is None else supersedes.hex(),
        "log_origin": genesis.log.origin,
        "salts": {name: coins.take("field-salt", 16).hex() for name in FIELDS},
    }
    payload = strict.convert(fields, WarrantPayload)
    encoded = strict.encode(payload)
    validate(parse_warrant(encoded), policy)
    return Investigation(encoded, request_seed, recipient_seed, profile=wanted.profile)


def succeed(genesis: Genesis, before: Investigation, wanted: Succeed, now: Millis, coins: Coins) -> Investigation:
    """The application for a successor of the warrant ``before``; raises as ``write``, and ``SCHEMA_INVALID``.

    It is in force from now on: where it is a renewal the two meet without a gap.
    """
    old = before.payload
    if old.conv_tags is not None or any(target.device is not None for target in old.targets):
        raise RefusedError(Reason.SCHEMA_INVALID, "a warrant on single devices or conversations is applied for anew")
    end = old.not_after if wanted.not_after is None else wanted.not_after
    window = old.message_window
    application = NewApplication(
        targets=tuple(bytes.fromhex(target.account) for target in old.targets),
        window=(window.start, window.end) if wanted.window is None else wanted.window,
        not_before=max(old.not_before, min(now, old.not_after)),
        not_after=end,
        max_capsules=old.max_capsules if wanted.max_capsules is None else wanted.max_capsules,
        max_identity_keys=old.max_identity_keys if wanted.max_identity_keys is None else wanted.max_identity_keys,
        instrument=bytes.fromhex(old.instrument_sha256),
        activation_delay_s=old.activation_delay_s,
        nondisclosure_until=max(old.nondisclosure_until, wanted.nondisclosure_until or 0, end),
        direction=old.direction,
        kind=old.kind,
        profile=before.profile,
    )
    return write(genesis, application, coins, seal_tag(old.id))
