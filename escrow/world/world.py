"""One deployment in one thread: all parties of a founding, their drivers, and the time that passes between them."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, cast

from escrow.crypto.edwards25519 import self_test
from escrow.crypto.hpke import Hpke, SystemHpke
from escrow.crypto.hpke_seeded import SeededHpke
from escrow.crypto.kem import Kem, SeededKem, SystemKem
from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, UnavailableError
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.agency import Agency
from escrow.roles.authority import Authority
from escrow.roles.callers import device_party
from escrow.roles.calls import Call, GetCommittee
from escrow.roles.custodian import Custodian
from escrow.roles.device import Device
from escrow.roles.device.commands import Register
from escrow.roles.device.linking import Compare, GetLinking, Host, Join, Linking, Look, Publish
from escrow.roles.log import Log
from escrow.roles.machine import Role
from escrow.roles.relay import Relay
from escrow.roles.witness import Witness
from escrow.rpc.profiles import shipped_profiles
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from escrow.world.clock import SeededEntropy, VirtualClock
from escrow.world.founding import Founding, Terms, derive, found
from escrow.world.loop import complete
from escrow.world.network import Network

ROUNDS_OF_KEY_GENERATION = 40
"""Ticks within which an undisturbed key generation ends, with room for repeated runs."""


class World:
    """Everything that a deployment is, started and with its committee key made.

    ``seed`` decides all keys and all entropy, so two Worlds with one seed and the same calls tell the same story. The
    randomness of ML-KEM and HPKE is the library's, which nobody can repeat; with ``seeded`` it is the seed's, too, and
    the two are the same byte for byte. That is slower, and needs the extra ``pq``.
    """

    def __init__(
        self,
        seed: bytes = bytes(32),
        terms: Terms | None = None,
        start: int = 1_000_000_000_000,
        *,
        seeded: bool = False,
    ) -> None:
        self_test()
        self._seed = seed
        self._seeded = seeded
        self.terms = terms or Terms()
        self.founding: Founding = found(Secret(seed), self.terms)
        self.genesis = self.founding.genesis
        self.clock = VirtualClock(start)
        self.network = Network()
        self.devices: dict[str, Node] = {}
        for party in self.founding.parties:
            self.add(party, self.role_of(party))

    # -- parties ------------------------------------------------------------------------------

    def role_of(self, party: Party) -> Role:
        """The machine of a party that the genesis names, or of a custodian that came later, with its key."""
        key = SigningKey.from_seed(self.founding.parties.get(party) or derive(Secret(self._seed), party))
        kind, _, index = party.partition("/")
        makers: dict[str, Callable[[], Role]] = {
            "log": lambda: Log(self.genesis, key),
            "relay": lambda: Relay(self.genesis, key),
            "authority": lambda: Authority(self.genesis, key, shipped_profiles()),
            "custodian": lambda: Custodian(self.genesis, int(index), key, self._hpke(party)),
            "witness": lambda: Witness(self.genesis, int(index), key),
        }
        return makers[kind]()

    def add(self, party: Party, role: Role) -> Node:
        """Put a party into the World with an empty store."""
        entropy = SeededEntropy(self._seed, party)
        node = Node(party, role, MemoryStore(), self.network, self.clock, entropy)
        self.network.nodes[party] = node
        return node

    def enlist(self, index: int) -> Node:
        """A custodian ``index`` > n, that the policy does not name: it follows the log, and waits for the roots."""
        party = Party(f"custodian/{index}")
        return self.add(party, self.role_of(party))

    def register(self, name: str) -> Node:
        """Make an account with one device for the user called ``name``, log it and publish its prekeys."""
        role, entropy = Device(self.genesis, self._kem(name)), SeededEntropy(self._seed, f"device/{name}")
        node = Node(Party(f"device/{name}"), role, MemoryStore(), self.network, self.clock, entropy)
        registered: Any = complete(node.ask(node.party, Register(name)))
        node.party = Party(f"device/{registered.account.hex()}/1")
        self.network.nodes[node.party] = node
        self.devices[name] = node
        complete(node.pump())
        return node

    def newcomer(self, name: str) -> Node:
        """A device for the user called ``name`` that belongs to no account yet and shows a code."""
        role, entropy = Device(self.genesis, self._kem(name)), SeededEntropy(self._seed, f"device/{name}")
        node = Node(Party(f"newcomer/{name}"), role, MemoryStore(), self.network, self.clock, entropy)
        self.network.nodes[node.party] = node
        self.devices[name] = node
        complete(node.run(Join()))
        return node

    def link(self, first: str, name: str) -> Node:
        """Link a new device, known as ``name``, to the account of the device ``first``; nobody stands between them."""
        host, new = self.devices[first], self.newcomer(name)
        complete(host.run(Host(self.linking(new).code)))
        for node in (new, host):
            complete(node.run(Look()))
        for node in (host, new):
            complete(node.run(Compare(self.linking(node).string)))
        self.settle_in(new)
        return new

    def linking(self, node: Node) -> Linking:
        """What a device's screen shows of its linking."""
        return cast(Linking, complete(node.ask(node.party, GetLinking())))

    def settle_in(self, node: Node) -> None:
        """Give a device that was linked the name of its account, under which it publishes its prekeys."""
        shown = self.linking(node)
        node.party = device_party(shown.account, shown.device)
        self.network.nodes[node.party] = node
        complete(node.run(Publish()))

    def _kem(self, name: str) -> Kem:
        return SeededKem(SeededEntropy(self._seed, f"kem/{name}").take) if self._seeded else SystemKem()

    def _hpke(self, party: Party) -> Hpke:
        return SeededHpke(SeededEntropy(self._seed, f"hpke/{party}").take) if self._seeded else SystemHpke()

    def agency(self, name: str) -> Node:
        """The tool of the investigators called ``name``."""
        party = Party(f"agency/{name}")
        return self.network.nodes.get(party) or self.add(party, Agency(self.genesis, name))

    @property
    def _relay(self) -> Relay:
        return cast(Relay, self["relay"].role)

    def __getitem__(self, party: str) -> Node:
        return self.network.nodes[Party(party)]

    def store(self, party: str) -> MemoryStore:
        """A party's state, as whoever stole its disk would see it."""
        return cast(MemoryStore, self[party].store)

    # -- time ---------------------------------------------------------------------------------

    @property
    def now(self) -> Millis:
        """The present, in ms."""
        return self.clock()

    def advance_to(self, when: int, among: Collection[Party] = ()) -> None:
        """Let time pass until ``when``; what falls due on the way is done on its day, by all or by those ``among``."""
        relay = self._relay
        while (due := relay.next_due(self.store("relay"))) is not None and due <= when:
            self.clock.advance_to(max(due, self.now))
            self.settle(among)
            if relay.next_due(self.store("relay")) == due:
                break  # out of reach: it stays due
        self.clock.advance_to(max(when, self.now))

    def advance(self, by: int) -> None:
        """Let ``by`` ms pass."""
        self.advance_to(self.now + by)

    def settle(self, among: Collection[Party] = ()) -> None:
        """One round in which every party, or each of those ``among``, does what is due and follows the log."""
        for party in among or tuple(self.network.nodes):
            if party not in self.network.down:
                complete(self._tick(self.network.nodes[party]))

    async def _tick(self, node: Node) -> None:
        with suppress(UnavailableError):
            await node.tick()

    def make_committee_key(self) -> None:
        """Let the custodians generate the key of the present period; raise if they do not come to an end."""
        for _ in range(ROUNDS_OF_KEY_GENERATION):
            self.settle()
            if all(self.ask(party, GetCommittee()).generation for party in self.genesis.custodian_keys):
                return
        raise UnavailableError(Reason.NO_COMMITTEE_KEY)

    # -- calls --------------------------------------------------------------------------------

    def ask(self, party: str, call: Call, origin: str = "person/onlooker") -> Any:
        """``call`` of ``origin`` to ``party``, through the network."""
        return complete(self.network.call(Party(origin), Party(party), call))

    def run(self, node: Node, call: Call) -> Any:
        """A command of a node's own user, and everything it leads to."""
        return complete(node.run(call))
