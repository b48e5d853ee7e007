"""What a member of a group who has every key of its messages may try, alone or with the relay; and what each gets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import message_key, next_chain_key
from escrow.capsule.envelope import env_root
from escrow.capsule.header import ContentClass, Header
from escrow.capsule.label import Label
from escrow.capsule.receipt import Receipt, sign_frame
from escrow.capsule.submission import SignedContent
from escrow.crypto.sign import SigningKey
from escrow.e2ee.content import Text, encode_content
from escrow.e2ee.conversation import Conversation
from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId
from escrow.roles.calls import EscrowDelivery
from escrow.roles.device.adopting import adopt
from escrow.roles.device.chains import (
    MAX_SKIP,
    MAX_SKIPPED,
    SKIPPED_LIFETIME,
    ReceivingChain,
    SendingChain,
    audience_of,
    follow,
    followed_chain,
    forget_ended,
    open_chain,
)
from escrow.roles.device.conversations import KEPT_VERSIONS, Held, held_group, move_on, version_of
from escrow.roles.device.state import ESCROW
from escrow.roles.lightview import LightView
from escrow.secret import Secret
from tests.core.capsule.vault import label as a_label
from tests.core.roles.phones import Phones, changed, flipped
from tests.core.roles.test_device_groups import TEAM, office, sent

SENDER, RELAY, NOBODY = ("sender",), ("relay",), ()
OWN_BUSINESS = (b"me", b"alarm/", b"outbox", b"view/", b"settled")
NO_ENVELOPES = env_root(())


@dataclass(frozen=True)
class Lie:
    """Where a later message of bob's chain leaves the honest path."""

    ahead: int = 0
    header: dict[str, Any] = field(default_factory=dict)
    key: Callable[[bytes], bytes] = lambda key: key
    signer: SigningKey | None = None
    env_root: bytes = NO_ENVELOPES
    delivery: dict[str, bytes] = field(default_factory=dict)


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = office()
    at.reset()
    yield at
    at.reset()


def team(at: Phones, name: str) -> Held:
    held = held_group(at.draft(name), TEAM)
    assert held is not None
    return held


def begun(at: Phones) -> tuple[SendingChain, bytes]:
    """Bob's chain after its first message, which all have read, and its capsule."""
    items = sent(at)
    at.send("bob", TEAM, "begins")
    at.sync()
    chain = open_chain(at.draft("bob"), team(at, "bob").conversation.id)
    assert chain is not None
    return chain, items[0].capsule


def later(
    at: Phones, chain: SendingChain, capsule: bytes, text: str = "later", lie: Lie | None = None
) -> EscrowDelivery:
    """What the relay would deliver if bob had written ``text`` next, but for the lie."""
    lie = lie or Lie()
    key, index = chain.key, chain.index
    for _ in range(lie.ahead):
        key, index = next_chain_key(key, chain.label_hash, index), index + 1
    honest = Header(chain.label_hash, chain.cap_hash, index, at.coins()[16:], ContentClass.CONTENT)
    header = changed(honest, lie.header)
    mk = Secret(lie.key(message_key(key, chain.label_hash, index).expose()))
    body = seal_body(mk, header, encode_content(Text(text)))
    signed = SignedContent(chain.label_hash, chain.cap_hash, header.index, body_id(body), lie.env_root)
    signature = signed.sign(lie.signer or at.me("bob").keys.signing_key)
    return delivered(at, chain.label, capsule, body, signed, signature, **lie.delivery)


def delivered(
    at: Phones, label: bytes, capsule: bytes, body: bytes, signed: SignedContent, signature: bytes, **changes: bytes
) -> EscrowDelivery:
    read, now = Label.decode(label), at.world.now
    receipt = Receipt(signed.hash, read.conv_tag, read.sender_account, read.sender_device, read.epoch, 7, now).encode()
    frame, relay_sig, (path,) = sign_frame([receipt], at.relay_key, now + at.world.genesis.mmd_ms)
    item = EscrowDelivery(
        label=label,
        capsule=capsule,
        body=body,
        device_sig=signature,
        envelope=b"",
        env_root=signed.env_root,
        env_path=b"",
        receipt=receipt,
        path=path,
        frame=frame,
        relay_sig=relay_sig,
    )
    return msgspec.structs.replace(item, **changes)


def test_a_later_message_needs_no_envelope(at: Phones) -> None:
    at.deliver("alice", later(at, *begun(at)))
    assert at.texts("alice") == ["begins", "later"]
    assert at.alarms("alice") == []


LIES: dict[str, tuple[Lie, str, tuple[str, ...]]] = {
    "another member signs": (Lie(signer=SigningKey.from_seed(bytes(32))), "SIGNATURE_INVALID", RELAY),
    "an envelope is withheld": (Lie(env_root=bytes(32)), "RELAY_SUBSTITUTED", RELAY),
    "an envelope without a place": (Lie(delivery={"envelope": b"x"}), "MALFORMED", NOBODY),
    "a place without an envelope": (Lie(delivery={"env_path": bytes(8)}), "RELAY_SUBSTITUTED", RELAY),
    "another label": (Lie(header={"label_hash": bytes(32)}), "CHAIN_MISMATCH", SENDER),
    "another capsule": (Lie(header={"cap_hash": bytes(32)}), "CHAIN_MISMATCH", SENDER),
    "a first message without its seed": (Lie(header={"index": 0}), "RECIPIENTS_MISMATCH", NOBODY),
    "beyond the end": (Lie(ahead=2), "INDEX_RANGE", NOBODY),
    "another key": (Lie(key=flipped), "COMMITMENT_MISMATCH", SENDER),
    "the key of another index": (Lie(ahead=1, header={"index": 1}), "COMMITMENT_MISMATCH", SENDER),
    "another class": (Lie(header={"content_class": ContentClass.CONTROL}), "CONTENT_INVALID", SENDER),
    "said again in the middle of a chain": (Lie(header={"content_class": ContentClass.RETRY}), "CHAIN_LIMIT", NOBODY),
}


@pytest.mark.spec("RCV-13")
@pytest.mark.spec("RCV-14")
@pytest.mark.parametrize("case", LIES)
def test_a_later_message_that_is_not_its_chains_is_refused_and_uses_up_nothing(at: Phones, case: str) -> None:
    """MSG-11, MSG-17, MSG-03."""
    lie, reason, culprits = LIES[case]
    chain, capsule = begun(at)
    before = at.state("alice", *OWN_BUSINESS)
    at.deliver("alice", later(at, chain, capsule, lie=lie))
    at.sync("alice")  # nobody is blamed for a signature before the log was asked again
    assert at.alarms("alice") == [(reason, culprits)]
    assert at.state("alice", *OWN_BUSINESS) == before
    at.deliver("alice", later(at, chain, capsule, "honest"))
    assert at.texts("alice") == ["begins", "honest"]


def test_a_member_cannot_write_in_anothers_name(at: Phones) -> None:
    """MSG-11: carol has every key of bob's chain, and the relay's help."""
    chain, capsule = begun(at)
    held = followed_chain(at.draft("carol"), Label.decode(chain.label))
    assert held is not None
    assert (held.key, held.index) == (chain.key, chain.index)
    forged = later(at, chain, capsule, "I am bob", Lie(signer=at.me("carol").keys.signing_key))
    at.deliver("alice", forged)
    at.sync("alice")
    assert at.texts("alice") == ["begins"]
    assert at.alarms("alice") == [("SIGNATURE_INVALID", RELAY)]


@pytest.mark.spec("RCV-11")
def test_the_same_later_message_twice_is_one_and_another_under_its_index_is_refused(at: Phones) -> None:
    chain, capsule = begun(at)
    one, other = later(at, chain, capsule, "one"), later(at, chain, capsule, "other")
    at.deliver("alice", one, one, other)
    assert at.texts("alice") == ["begins", "one"]
    assert at.alarms("alice") == [("INDEX_REUSED", NOBODY)]


def test_a_chain_goes_on_for_the_same_devices_under_the_same_terms_only(at: Phones) -> None:
    chain, _ = begun(at)
    terms = Label.decode(chain.label)
    assert chain.serves(terms, chain.audience)
    assert chain.serves(replace(terms, chain_id=bytes(16), chain_no=9), chain.audience)
    assert not chain.serves(terms, audience_of([at.me("alice").keys.identity]))
    for name in ("policy_hash", "committee_key_hash", "conv_tag"):
        assert not chain.serves(changed(terms, {name: bytes(32)}), chain.audience)
    for name in ("epoch", "roster_version"):
        assert not chain.serves(changed(terms, {name: getattr(terms, name) + 1}), chain.audience)


def test_messages_of_a_chain_may_come_in_any_order(at: Phones) -> None:
    chain, capsule = begun(at)
    at.deliver("alice", later(at, chain, capsule, "third", Lie(ahead=1)), later(at, chain, capsule, "second"))
    assert at.texts("alice") == ["begins", "third", "second"]


@pytest.mark.spec("RCV-15")
def test_what_comes_without_its_body_waits_for_it(at: Phones) -> None:
    """MSG-15."""
    item = later(at, *begun(at))
    at.deliver("alice", msgspec.structs.replace(item, body=b""))
    assert (at.status("alice").deferred, at.alarms("alice")) == (("BODY_MISSING",), [])
    at.deliver("alice", item)
    assert at.texts("alice") == ["begins", "later"]
    assert (at.status("alice").deferred, at.alarms("alice")) == ((), [])


@pytest.mark.spec("RCV-16")
def test_whoever_has_left_is_heard_for_the_grace_and_no_longer(at: Phones) -> None:
    begun(at)
    at.change("alice", TEAM, remove=("carol",))
    at.sync()
    at.world.advance(at.world.genesis.grace_ms // 2)
    at.send("carol", TEAM, "on my way out")
    at.world.advance(at.world.genesis.grace_ms)
    at.send("carol", TEAM, "still there")
    at.sync()
    assert at.texts("bob") == ["on my way out"]
    assert at.alarms("bob") == [("ROSTER_STALE", NOBODY)]


# -- rosters --------------------------------------------------------------------------------------


def take(at: Phones, name: str, version: Conversation, sender: str = "alice") -> Held:
    """A device is shown a version that came with a message of ``sender``; what it changes stays."""
    draft = at.draft(name)
    held = adopt(
        draft, LightView(at.world.genesis), at.me(sender).keys.identity, ESCROW, version.encode(), at.world.now
    )
    at.store(name)._apply(draft.writes())
    return held


def without(version: Conversation, *accounts: bytes) -> list[AccountId]:
    return [member for member in version.members if member not in accounts]


def test_a_roster_that_the_admin_has_not_signed_is_refused_by_everybody(at: Phones) -> None:
    """Bob makes himself a team without carol, and writes under it."""
    held, key = team(at, "bob"), at.me("bob").keys.signing_key
    mine = held.conversation.change(key, without(held.conversation, at.me("carol").keys.account), Secret(bytes(32)))
    draft = at.draft("bob")
    move_on(draft, held, mine, at.world.now)
    at.store("bob")._apply(draft.writes())
    at.send("bob", TEAM, "just us two")
    at.sync("alice")
    assert at.alarms("alice") == [("SENDER_INCONSISTENT", SENDER)]
    assert at.texts("alice") == []
    assert at.group("alice", TEAM).version == 0


def test_an_admin_who_shows_two_rosters_is_noticed_when_they_meet(at: Phones) -> None:
    first, key = team(at, "alice").conversation, at.me("alice").keys.signing_key
    dora = at.me("dora").keys.account
    one = first.change(key, [*first.members, dora], first.secret)
    other = first.change(key, without(first, at.me("carol").keys.account), Secret(bytes(32)))
    take(at, "bob", one)
    for version in (other, other.change(key, without(first), other.secret)):
        with pytest.raises(RefusedError, match="ROSTER_FORKED"):
            take(at, "bob", version)


def test_versions_may_come_in_any_order(at: Phones) -> None:
    first, key = team(at, "alice").conversation, at.me("alice").keys.signing_key
    second = first.change(key, [*first.members, at.me("dora").keys.account], first.secret)
    third = second.change(key, without(first), Secret(bytes(32)))
    assert take(at, "bob", third).conversation == third
    assert take(at, "bob", second).conversation == third
    assert take(at, "bob", first).conversation == third
    assert version_of(at.draft("bob"), team(at, "bob"), 1) == second
    bad = replace(first, version=1).change(key, without(first), Secret(bytes(32)))
    assert bad.version == 2
    with pytest.raises(RefusedError, match="ROSTER_FORKED"):
        take(at, "bob", bad)


@pytest.mark.parametrize("leaves", ["bob", "alice"])
def test_a_roster_without_its_sender_or_receiver_is_refused(at: Phones, leaves: str) -> None:
    first, key = team(at, "alice").conversation, at.me("alice").keys.signing_key
    version = first.change(key, without(first, at.me("bob").keys.account), Secret(bytes(32)))
    name, sender = ("bob", "alice") if leaves == "bob" else ("carol", "bob")
    with pytest.raises(RefusedError, match="SENDER_INCONSISTENT"):
        take(at, name, version, sender)


def test_what_is_too_old_is_given_up(at: Phones) -> None:
    key = at.me("alice").keys.signing_key
    version = team(at, "bob").conversation
    for _ in range(KEPT_VERSIONS + 1):
        members = [*version.members] if len(version.members) < 3 else without(version, at.me("carol").keys.account)
        version = version.change(key, members, Secret(at.coins()))
        take(at, "bob", version)
    kept = [key for key in at.state("bob") if key.startswith(b"past/")]
    assert len(kept) == KEPT_VERSIONS
    assert version_of(at.draft("bob"), team(at, "bob"), 0) is None


# -- bounds ---------------------------------------------------------------------------------------


def fresh(n_max: int, seed: bytes = bytes(32)) -> ReceivingChain:
    return ReceivingChain(b"l" * 32, b"c" * 32, b"i" * 32, 0, n_max, Secret(seed), 0)


def keys_of(chain: ReceivingChain) -> list[Secret]:
    key, keys = chain.key, []
    for index in range(chain.n_max):
        keys.append(message_key(key, chain.label_hash, index))
        key = next_chain_key(key, chain.label_hash, index)
    return keys


def attempt(chain: ReceivingChain, index: int, now: int) -> tuple[ReceivingChain, Secret] | Reason:
    try:
        return chain.take(index, now)
    except RefusedError as refused:
        return refused.reason


@given(st.lists(st.integers(0, 13), max_size=30))
def test_each_index_gives_its_key_once_in_whatever_order(order: list[int]) -> None:
    chain, given = fresh(12), list[int]()
    keys = keys_of(chain)
    for index in order:
        outcome = attempt(chain, index, 0)
        if index >= 12:
            assert outcome is Reason.INDEX_RANGE
        elif index in given:
            assert outcome is Reason.INDEX_REUSED
        else:
            assert not isinstance(outcome, Reason)
            chain, key = outcome
            given.append(index)
            assert key == keys[index]
            assert {each.index for each in chain.skipped} == set(range(max(given))) - set(given)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 3)), max_size=8))
def test_no_chain_holds_more_skipped_keys_than_it_may_and_none_for_ever(steps: list[tuple[int, int]]) -> None:
    """MSG-07."""
    chain, now = fresh(1024), 0
    for index, later_by in steps:
        now += later_by * SKIPPED_LIFETIME // 3
        outcome = attempt(chain, index, now)
        if isinstance(outcome, Reason):
            assert outcome in {Reason.SKIP_LIMIT, Reason.INDEX_REUSED}
            continue
        chain, _ = outcome
        assert len(chain.skipped) <= MAX_SKIP
        assert all(each.stored + SKIPPED_LIFETIME > now for each in chain.skipped)


def test_a_chain_is_skipped_so_far_and_no_further() -> None:
    at_once = attempt(fresh(1024), MAX_SKIP, 0)
    assert not isinstance(at_once, Reason)
    assert len(at_once[0].skipped) == MAX_SKIP
    assert attempt(at_once[0], MAX_SKIP + 2, 0) is Reason.SKIP_LIMIT
    assert attempt(fresh(1024), MAX_SKIP + 1, 0) is Reason.SKIP_LIMIT


def test_all_chains_together_hold_no_more_than_they_may(at: Phones) -> None:
    """MSG-07: the oldest give way, and the count is right after chains have ended."""
    draft, label = at.draft("alice"), Label.decode(a_label())
    names = [replace(label, chain_id=bytes([number]) * 16) for number in range(8)]
    for number, name in enumerate(names):
        chain, _ = fresh(1024).take(900, number)
        follow(draft, name, chain, ends=number)
    held = [followed_chain(draft, name) for name in names]
    counts = [len(chain.skipped) for chain in held if chain is not None]
    assert sum(counts) == MAX_SKIPPED
    assert counts == [0, 0, 0, 400, 900, 900, 900, 900]
    forget_ended(draft, 6, ())
    assert [followed_chain(draft, name) is None for name in names] == [True] * 7 + [False]
    for number in range(8, 12):
        chain, _ = fresh(1024).take(900, number)
        follow(draft, replace(label, chain_id=bytes([number]) * 16), chain, ends=number)
    last = followed_chain(draft, names[7])
    assert last is not None
    assert len(last.skipped) == 400
