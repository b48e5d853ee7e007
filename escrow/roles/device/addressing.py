"""Whose business a message is: what its address means, a name or a group, as far as names are known."""

from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId
from escrow.roles.device.conversations import held_group
from escrow.roles.device.directory import account_of, known_account
from escrow.roles.device.groups import is_group
from escrow.roles.device.state import Queued, load_me
from escrow.roles.machine import Draft, Read


def members_of(draft: Draft, message: Queued) -> tuple[AccountId, ...] | None:
    """The accounts that a message concerns, our own among them; None while the relay is being asked for a name.

    Raises ``NOT_FOUND`` for a group that is not here, ``USAGE`` for a message to oneself.
    """
    if is_group(message.to):
        held = held_group(draft, message.to)
        if held is None:
            raise RefusedError(Reason.NOT_FOUND, "there is no such group here")
        return held.conversation.members
    own, peer = load_me(draft).keys.account, account_of(draft, message.to)
    if peer == own:
        raise RefusedError(Reason.USAGE, "a message to oneself")
    return None if peer is None else (own, peer)


def concerns(view: Read | Draft, message: Queued, account: AccountId) -> bool:
    """Whether a queued message is for devices of ``account``, as far as names are known."""
    if not is_group(message.to):
        return account in (known_account(view, message.to), load_me(view).keys.account)
    held = held_group(view, message.to)
    return held is not None and account in held.conversation.members
