"""How a chain begins: the label that says what it belongs to, a hedged seed, and the capsule that holds the seed."""

from msgspec.structs import replace

from escrow.capsule.chain import SEED_SIZE, first_chain_key, new_seeds
from escrow.capsule.header import cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.schemes import scheme_of
from escrow.committee.documents import CommitteeKey
from escrow.crypto.coins import Coins
from escrow.e2ee.conversation import Conversation
from escrow.e2ee.roster import conv_tag, member_salts, roster_root
from escrow.encoding import u64
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.authorised import context_of
from escrow.roles.calls import RegisterRoute, RouteMember
from escrow.roles.device.chains import SendingChain
from escrow.roles.device.directory import RELAY
from escrow.roles.device.state import ESCROW, Me
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis


def terms_of(
    draft: Draft, genesis: Genesis, me: Me, conversation: Conversation, key: CommitteeKey, now: Millis
) -> Label:
    """What the label of a chain that begins now would say, but for the chain's own names.

    Tells the relay the conversation's tag and roster, unless it was told.
    """
    policy = genesis.policy
    epoch, version, members = policy.epoch_of(now), conversation.version, conversation.members
    tag = conv_tag(conversation.secret, policy.hash, epoch)
    place = conversation.secret, policy.hash, epoch, version, members
    if draft.get(route_key(tag, version)) is None:
        draft.put(route_key(tag, version), b"")
        shown = tuple(RouteMember(account, salt) for account, salt in sorted(member_salts(*place).items()))
        draft.owe(RELAY, RegisterRoute(tag, policy.hash, epoch, version, shown))
    return Label(
        suite=policy.suite,
        mode=ESCROW,
        policy_hash=policy.hash,
        committee_key_hash=key.hash,
        conv_tag=tag,
        roster_version=version,
        roster_root=roster_root(*place),
        sender_account=me.keys.account,
        sender_device=me.keys.device,
        epoch=epoch,
        chain_id=bytes(16),
        chain_no=0,
        n_max=policy.n_max_of(len(members)),
    )


def route_key(tag: bytes, version: int) -> bytes:
    """What marks that the relay was told a tag with a roster version."""
    return b"route/" + tag + u64(version)


def begin_chain(
    genesis: Genesis, me: Me, terms: Label, key: CommitteeKey, audience: bytes, coins: Coins
) -> tuple[Me, SendingChain, bytes, Secret]:
    """This device, its hedge used; a new chain on these terms; its capsule; and its seed, which is kept nowhere.

    Raises ``RefusedError(CAPSULE_SELF_CHECK)`` if what was made does not verify.
    """
    label = replace(terms, chain_id=coins.take("chain-id", 16), chain_no=me.chains).encode()
    seeds = scheme_of(terms.suite).seed_size // SEED_SIZE
    seed, hedge = new_seeds(me.hedge, [coins.take("seed", SEED_SIZE) for _ in range(seeds)], label)
    capsule, named = _capsule(genesis, key, label, seed), label_hash(label)
    first = first_chain_key(seed, named)
    chain = SendingChain(label, named, cap_hash(terms.suite, capsule), audience, first, 0)
    return replace(me, hedge=hedge, chains=me.chains + 1), chain, capsule, seed


def _capsule(genesis: Genesis, key: CommitteeKey, label: bytes, seed: Secret) -> bytes:
    scheme = scheme_of(genesis.policy.suite)
    context = context_of(genesis, key)
    capsule = scheme.encapsulate(context, label, seed)
    try:
        scheme.verify(context, label, capsule)
    except EscrowError as error:
        raise RefusedError(Reason.CAPSULE_SELF_CHECK, error.detail) from error
    return capsule
