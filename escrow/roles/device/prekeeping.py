"""How a device keeps its prekeys: made before they are offered, renewed by age, refilled when few are left, erased.

Whatever the relay says of its stock (with every fetch, so at no cost of its own) is compared with what should be
there, and the difference is published. So a lost answer, a crash and a relay that forgot take one and the same path.

Which of the keys that the relay has handed out are still on their way to us, nobody can know. So a batch is kept for
``GRACE`` after others took its place, and then until the mailbox was empty: what came in time opens, however late we
fetch it. A relay that never lets the mailbox be empty gains one more ``GRACE``. One that answers no fetch at all keeps
the secrets alive, and no mail from anybody arrives: as long as we are out of reach, so is what they are for.
"""

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.e2ee.bundle import LIFETIME, make_one_time, make_prekeys
from escrow.errors import Reason
from escrow.ids import Millis
from escrow.roles.calls import Enroll, Fetched, PrekeyStock
from escrow.roles.device.batches import (
    GRACE,
    LASTING,
    ONE_TIME,
    Batch,
    batches,
    begun,
    erase,
    keep,
    keep_secrets,
    newest,
    take_numbers,
)
from escrow.roles.device.conversations import NO_LINEAGE, lineage_of
from escrow.roles.device.directory import RELAY
from escrow.roles.device.state import ESCROW, PLAIN, Deferred, load_me
from escrow.roles.machine import Draft, Read
from escrow.roles.state import unpack
from escrow.warrant.genesis import Genesis

HOUR = 3600 * 1000
DAY = 24 * HOUR
RENEW = 7 * DAY
"""Age at which signed prekey and last-resort key are replaced. X3DH, section 3.2, suggests once a week or a month."""
PAUSE = 6 * HOUR
"""Between two batches of a kind: whoever drains us, or says that we were drained, cannot make us work without end."""
FIRST = 8
"""One-time keys of each kind at the beginning: most people are never asked for more."""
REFILL = 32
"""And each time that others have used them up."""
FEWEST = 4
"""With fewer than these left at the relay, a new batch takes their place."""


def publish_first(draft: Draft, genesis: Genesis, now: Millis, draw: Coins) -> None:
    """Make the first prekeys, and owe them to the relay."""
    _publish(draft, genesis, now, draw, lasting=None, count=FIRST)


def on_fetched(draft: Draft, genesis: Genesis, reply: Fetched, now: Millis, draw: Coins) -> None:
    """Compare what the relay has of ours with what should be there; publish what is missing."""
    if not begun(draft):
        return  # not in the log yet: nothing can be offered
    stock = reply.prekeys or PrekeyStock(0, 0, 0, 0)
    for kind, offered in ((LASTING, stock.signed), (ONE_TIME, stock.one_time)):
        for batch in batches(draft, kind):
            following = batch
            if not batch.replaced and batch.first < offered:
                following = replace(batch, replaced=now)
            if now >= following.ends:
                following = replace(
                    following,
                    emptied=following.emptied or not reply.items,
                    last_call=following.last_call or now + GRACE,
                    called=following.called or 0 < following.last_call <= now,
                )
            keep(draft, kind, following, batch)
    # SPEC PRK-5: what is old or missing at the relay is replaced, at its pace.
    lasting, single = newest(draft, LASTING), newest(draft, ONE_TIME)
    few = min(stock.ec_left, stock.kem_left) < FEWEST
    renew = _due(lasting, now, RENEW, missing=lasting is None or lasting.first != stock.signed)
    refill = _due(single, now, LIFETIME // 2, missing=few or single is None or single.first != stock.one_time)
    # What is published already is waited for, and never published in two versions.
    if (renew or refill) and not draft.owed(Enroll):
        _publish(draft, genesis, now, draw, lasting=None if renew else lasting, count=REFILL if refill else 0)


def forget(draft: Draft, now: Millis) -> None:
    """Erase the secrets of batches whose time is over. Done when the user next asks for mail, and not before: what came
    with the last of it may have had to wait for the log.
    """
    for kind in (LASTING, ONE_TIME):
        for batch in batches(draft, kind):
            # SPEC PRK-6: what may still be under way keeps its keys.
            if now < batch.ends:
                continue
            if batch.called or (batch.emptied and not _held_up(draft)):
                erase(draft, kind, batch)


def _publish(draft: Draft, genesis: Genesis, now: Millis, draw: Coins, *, lasting: Batch | None, count: int) -> None:
    """Owe the relay a bundle (that of ``lasting``, or a new one) and ``count`` new one-time keys of each kind.

    Their secrets are written down with the same step, before the relay can see any of it.
    """
    me = load_me(draft)
    if lasting is None:
        choices = ((PLAIN, NO_LINEAGE), (ESCROW, lineage_of(genesis, ESCROW)))
        first = take_numbers(draft, 1)
        secrets, published = make_prekeys(draw.take("prekeys", 32), me.keys, 0, now, choices, first_number=first)
        lasting = Batch(first, 1, now, now + LIFETIME, published.static)
        keep(draft, LASTING, lasting)
        keep_secrets(draft, secrets.keys)
    rows: list[tuple[bytes, ...]] = [(), ()]
    if count:
        first = take_numbers(draft, count)
        keep(draft, ONE_TIME, Batch(first, count, now, now + LIFETIME, b""))
        for place, purpose in enumerate(ONE_TIME.purposes):
            keys, rows[place] = make_one_time(draw.take("one-time", 32), me.keys, purpose, count, first, now + LIFETIME)
            keep_secrets(draft, keys)
    draft.owe(RELAY, Enroll(me.name, lasting.bundle, *rows))


def _due(newest: Batch | None, now: Millis, span: int, *, missing: bool) -> bool:
    """Whether another batch is needed. A batch from the future was made when our clock was wrong."""
    if newest is None or now < newest.made:
        return True
    age = now - newest.made
    return age >= span or (missing and age >= PAUSE)


def _held_up(view: Read | Draft) -> bool:
    """Whether a delivery waits unopened for something that may yet come: its sender's keys, or its time."""
    waiting = (unpack(data, Deferred) for _, data in view.scan(b"deferred/"))
    return any(not each.opened and each.reason != Reason.ENVELOPE_INVALID.name for each in waiting)
