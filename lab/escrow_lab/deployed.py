"""The regimes that are ours: a whole deployment in the World, whose roles do everything that they do as services.

A message is sent by a device, taken by the relay and read by the other device; an access is a warrant with two locks,
its logged seal, and three custodians' releases. What a corrupt set gives is computed from what its members have stored.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, cast

from escrow.capsule.body import Body, open_body
from escrow.capsule.chain import first_chain_key, message_key, next_chain_key
from escrow.capsule.combine import Opened, open_another, open_capsule
from escrow.capsule.header import Header
from escrow.capsule.label import MOST_IN_CHAIN, Label
from escrow.capsule.schemes import ShareRequest, scheme_of
from escrow.crypto.group import SIZE
from escrow.crypto.sharing import interpolate_scalars
from escrow.e2ee.content import decode_content
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.node import Node
from escrow.roles.agency.commands import GetOpened
from escrow.roles.authorised import context_of
from escrow.roles.custodian.state import Holding, load_holding
from escrow.roles.device.commands import GetInbox, Send, SendReceipts, Sync
from escrow.roles.device.state import ESCROW, PLAIN, load_me
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis
from escrow.warrant.policy import SchemeName
from escrow.world.exposure import Posted, Wiretap, chain_of
from escrow.world.founding import APPROVERS, DAY, HOUR, ISSUERS, MINUTE, Terms
from escrow.world.loop import complete
from escrow.world.world import World
from escrow_lab.demo import warrants
from escrow_lab.demo.messages import lab_time
from escrow_lab.demo.world_stage import WorldStage
from escrow_lab.regime import Access, Message, Opener, Order, Regime, Sealed, Wish, nothing

RELAY, LOG, AUTHORITY, AGENCY = "relay", "log", "authority", "agency"
ISSUER, APPROVER = "issuer", "approver"
CUSTODIANS: Final = ("custodian/1", "custodian/2", "custodian/3")
THRESHOLD: Final = 2
OFFICE: Final = "lab-agency"


class Deployed(Regime):
    """A World of three custodians, any two of whom open. ``chain``: messages under one seed, 1 to 1024."""

    MODE: ClassVar[int] = ESCROW
    SCHEME: ClassVar[SchemeName] = "tdh2-ed25519"
    WISH = Wish.READ
    PARTIES = (RELAY, *CUSTODIANS, ISSUER, APPROVER, AGENCY, AUTHORITY, LOG)

    def __init__(self, seed: int, *, chain: int = 1) -> None:
        super().__init__(seed)
        if not 1 <= chain <= MOST_IN_CHAIN:
            raise MalformedError(f"a chain has 1 to {MOST_IN_CHAIN} messages", Reason.USAGE)
        self._terms = Terms(scheme=self.SCHEME, custodians=len(CUSTODIANS), threshold=THRESHOLD, pair_chain=chain)
        self._people: dict[str, Node] = {}
        self._posted: dict[int, Posted] = {}
        self._chains: dict[bytes, tuple[bytes, bytes]] = {}
        self._opened_by: dict[tuple[bytes, tuple[str, ...]], Opened | RefusedError] = {}
        self._suspects: dict[str, Mapping[int, str]] = {}
        self._read: dict[str, int] = {}
        self._started: int | None = None

    @cached_property
    def world(self) -> World:
        """The deployment, founded an hour before the first message."""
        world = World(self.coins("world").take("seed", 32), self._terms, start=lab_time(self._started or 0) - HOUR)
        if self.MODE == ESCROW:
            world.make_committee_key()
        else:
            world.settle()
        self._tap = Wiretap(world.network)
        return world

    @cached_property
    def stage(self) -> WorldStage:
        """The World as a story's villains see it."""
        return WorldStage(self.world)

    @property
    def genesis(self) -> Genesis:
        """What the deployment was founded with."""
        return self.world.genesis

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``."""
        if self._started is None:
            self._started = message.time
        sender, recipient = self._device(message.sender), self._device(message.recipient)
        self.world.advance_to(max(lab_time(message.time), self.world.now), among=self.world.founding.parties)
        self.world.run(sender, Send(message.recipient, self.MODE, message.text))
        posted = self._tap.newest
        self._posted[message.number] = posted
        if posted.item.escrow is not None and posted.item.escrow.capsule:
            self._chains[chain_of(posted)] = posted.item.escrow.label, posted.item.escrow.capsule
        self.world.run(recipient, Sync())
        said = message.number, message.time, message.sender, message.recipient
        return Sealed(*said, _wire(posted), self._shown(message) == message.text)

    def access(self, order: Order) -> Access:
        """A warrant on the target, filed, signed twice, sealed and logged; then executed."""
        if self.MODE == PLAIN:
            return Access({}, frozenset(), refused="there is nothing that anybody could open")
        opened = self._opened(order)
        return Access(opened, self._openable({chain_of(self._posted[number]) for number in opened}))

    def give(self, corrupt: frozenset[str]) -> Opener:
        """Custodians' shares on what the relay has recorded; or a warrant for no reason, if both locks are corrupt."""
        if self.MODE == PLAIN:
            return nothing
        ways: list[Opener] = []
        if RELAY in corrupt and (held := tuple(name for name in CUSTODIANS if name in corrupt)):
            ways.append(lambda sealed: self._collude(self._posted[sealed.number], held))
        if {ISSUER, APPROVER, AGENCY} <= corrupt:
            ways.append(lambda sealed: self._baseless(sealed.sender).get(sealed.number))
        return lambda sealed: next((text for way in ways if (text := way(sealed)) is not None), None)

    # -- people -------------------------------------------------------------------------------

    def _device(self, name: str) -> Node:
        if name not in self._people:
            self._people[name] = self.world.register(name)
            self.world.run(self._people[name], SendReceipts(on=False))  # the trace's messages, and none about them
        return self._people[name]

    def _shown(self, message: Message) -> str | None:
        """The newest message on the recipient's screen."""
        node, start = self._people[message.recipient], self._read.get(message.recipient, 0)
        inbox: Any = complete(node.ask(node.party, GetInbox(start)))
        self._read[message.recipient] = inbox.start + len(inbox.messages)
        return inbox.messages[-1].text if inbox.messages else None

    # -- by warrant ---------------------------------------------------------------------------

    def warrant(self, order: Order) -> bytes:
        """File a warrant, sign it twice, have it sealed and logged, and execute it; its id."""
        stage = self.stage
        self.world.advance(DAY)
        self.world.settle()
        account = complete(self._device(order.target).read(load_me)).keys.account
        window = lab_time(max(order.start, self._started or 0)), min(lab_time(order.end), stage.now)
        terms = warrants.Terms(account, window, stage.now, stage.now + 2 * DAY)
        application = complete(warrants.apply(stage, OFFICE, terms))
        complete(warrants.sign(stage, application, "issuer", ISSUERS[0]))
        complete(warrants.sign(stage, application, "approver", APPROVERS[0]))
        complete(stage.settle())
        complete(stage.advance_to(stage.now + 5 * MINUTE))
        complete(warrants.execute(stage, OFFICE, application.warrant_id))
        return application.warrant_id

    def _opened(self, order: Order) -> dict[int, str]:
        warrant_id = self.warrant(order)
        agency = complete(self.stage.agency(OFFICE))
        answer: Any = complete(agency.ask(agency.party, GetOpened(warrant_id)))
        found = {item.body_id: item.text for item in answer.items if not item.reason}
        names = {number: posted.name for number, posted in self._posted.items()}
        return {number: found[name] for number, name in names.items() if name in found}

    def _baseless(self, sender: str) -> Mapping[int, str]:
        """What a warrant for no reason opens of all that somebody has ever sent."""
        if sender not in self._suspects:
            self._suspects[sender] = self._opened(Order(sender, 0, 1 << 31))
        return self._suspects[sender]

    # -- by collusion -------------------------------------------------------------------------

    def _collude(self, posted: Posted, custodians: tuple[str, ...]) -> str | None:
        """The words, from what these custodians and the relay have stored, if the shares are enough."""
        try:
            return _words(posted, {chain_of(posted): self._combined(chain_of(posted), custodians).seed})
        except RefusedError:
            return None

    def by_logarithm(self, sealed: Sealed) -> str | None:
        """The words, for whoever knows the logarithm of the committee key, which all shares together stand in for.

        With that one number and the recording nobody else is needed. None where there is no such key, or it is not
        all that the seed rests on.
        """
        chain = chain_of(self._posted[sealed.number])
        request, held = self._request(chain, CUSTODIANS)
        if not request.ctx.key.points:
            return None
        group, scheme = request.ctx.group, scheme_of(request.ctx.suite)
        secrets = {one.index: one.share.expose() for one in held if one.share is not None}
        x = interpolate_scalars({i: group.scalar.decode(secret[:SIZE]) for i, secret in secrets.items()})
        if group.base_mul(x) != request.ctx.public:
            raise AssertionError("this is the logarithm")
        # Where a second secret stands beside it (hybrid), a logarithm says nothing about that: it is guessed.
        guess = x.encode() + bytes(len(secrets[1]) - SIZE)
        try:
            share = scheme.share(request, Secret(guess), 1, bytes(range(32)))
            seed = scheme.recover(request.ctx, request.label, request.capsule, {1: share})
            return _words(self._posted[sealed.number], {chain: seed})
        except EscrowError:
            return None

    def _openable(self, released: Iterable[bytes]) -> frozenset[int]:
        """All that the keys open that were released for these chains: a key opens its unit, a seed its chain."""
        keys: dict[tuple[bytes, ...], Secret] = {}
        for chain in released:
            keys[self._unit(chain)] = self._combined(chain, CUSTODIANS).key
        seeds: dict[bytes, Secret] = {}
        for chain in self._chains:
            key = keys.get(self._unit(chain))
            if key is not None:
                request, _ = self._request(chain, CUSTODIANS)
                seeds[chain] = open_another(request.ctx, request.label, request.capsule, key)
        found = (number for number, posted in self._posted.items() if _words(posted, seeds) is not None)
        return frozenset(found)

    def _unit(self, chain: bytes) -> tuple[bytes, ...]:
        label, capsule = self._chains[chain]
        return scheme_of(Label.decode(label).suite).unit(label, capsule)

    def _combined(self, chain: bytes, custodians: tuple[str, ...]) -> Opened:
        """What opens a recorded chain, from shares that nobody has to be asked for; ``NOT_ENOUGH_SHARES``."""
        known = self._opened_by.get((chain, custodians))
        if known is None:
            request, held = self._request(chain, custodians)
            scheme = scheme_of(request.ctx.suite)
            shares = {
                one.index: scheme.share(request, one.share, one.index, bytes([one.index]) * 32)
                for one in held
                if one.share is not None
            }
            try:
                known = open_capsule(request, held[0].generation, shares)
            except RefusedError as refused:
                known = refused
            self._opened_by[chain, custodians] = known
        if isinstance(known, RefusedError):
            raise known
        return known

    def _request(self, chain: bytes, custodians: tuple[str, ...]) -> tuple[ShareRequest, list[Holding]]:
        """What a share for a recorded chain is made for, and what these custodians have stored."""
        label, capsule = self._chains[chain]
        key_hash = Label.decode(label).committee_key_hash
        held = [cast(Holding, load_holding(self.world.store(name), key_hash)) for name in custodians]
        context = context_of(self.genesis, held[0].key)
        return ShareRequest(context, held[0].generation.hash, label, capsule, bytes(32)), held


def _words(posted: Posted, seeds: Mapping[bytes, Secret]) -> str | None:
    """What a recorded message says to whoever has these seeds of chains."""
    chain, said = chain_of(posted), posted.item.escrow
    if said is None or chain not in seeds:
        return None
    key, place = first_chain_key(seeds[chain], chain), Header.decode(Body.decode(said.body).header).index
    for index in range(place):
        key = next_chain_key(key, chain, index)
    return decode_content(open_body(message_key(key, chain, place), said.body)).text


def _wire(posted: Posted) -> bytes:
    """Everything that a message makes its sender submit."""
    envelopes = b"".join(each.envelope for each in posted.envelopes)
    said = posted.item.escrow
    return envelopes if said is None else said.label + said.capsule + said.body + said.device_sig + envelopes
