"""One deployment in one thread: all parties of a founding, their drivers, and the time that passes between them."""

from collections.abc import Callable
from typing import Any

from escrow.crypto.group import self_test
from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, UnavailableError
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.agency import Agency
from escrow.roles.authority import Authority
from escrow.roles.calls import Call, GetCommittee
from escrow.roles.custodian import Custodian
from escrow.roles.device import Device
from escrow.roles.device.commands import Register
from escrow.roles.log import Log
from escrow.roles.machine import Role
from escrow.roles.relay import Relay
from escrow.roles.witness import Witness
from escrow.secret import Secret
from escrow.store.memory import MemoryStore
from escrow.world.clock import SeededEntropy, VirtualClock
from escrow.world.founding import Founding, Terms, found
from escrow.world.loop import complete
from escrow.world.network import Network

ROUNDS_OF_KEY_GENERATION = 40
"""Ticks within which an undisturbed key generation ends, with room for repeated runs."""


class World:
    """Everything that a deployment is, started and with its committee key made.

    ``seed`` decides all keys and all entropy: two Worlds with one seed and the same calls are the same. The randomness
    of ML-KEM and HPKE is the library's unless ``Device`` and ``Custodian`` are given seeded ports.
    """

    def __init__(self, seed: bytes = bytes(32), terms: Terms | None = None, start: int = 1_000_000_000_000) -> None:
        self_test()
        self._seed = seed
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
        """The machine of a party that the genesis names, with its key."""
        key = SigningKey.from_seed(self.founding.parties[party])
        kind, _, index = party.partition("/")
        makers: dict[str, Callable[[], Role]] = {
            "log": lambda: Log(self.genesis, key),
            "relay": lambda: Relay(self.genesis, key),
            "authority": lambda: Authority(self.genesis, key),
            "custodian": lambda: Custodian(self.genesis, int(index), key),
            "witness": lambda: Witness(self.genesis, int(index), key),
        }
        return makers[kind]()

    def add(self, party: Party, role: Role) -> Node:
        """Put a party into the World with an empty store."""
        entropy = SeededEntropy(self._seed, party)
        node = Node(party, role, MemoryStore(), self.network, self.clock, entropy)
        self.network.nodes[party] = node
        return node

    def register(self, name: str) -> Node:
        """Make an account with one device for the user called ``name``, log it and publish its prekeys."""
        node = Node(Party(f"device/{name}"), Device(self.genesis), MemoryStore(), self.network, self.clock,
                    SeededEntropy(self._seed, f"device/{name}"))  # fmt: skip
        registered: Any = complete(node.ask(node.party, Register(name)))
        node.party = Party(f"device/{registered.account.hex()}/1")
        self.network.nodes[node.party] = node
        self.devices[name] = node
        complete(node.pump())
        return node

    def agency(self, name: str) -> Node:
        """The tool of the investigators called ``name``."""
        party = Party(f"agency/{name}")
        return self.network.nodes.get(party) or self.add(party, Agency(self.genesis, name))

    @property
    def _relay(self) -> Relay:
        role = self["relay"].role
        if not isinstance(role, Relay):
            raise AssertionError("the relay is a relay")
        return role

    def __getitem__(self, party: str) -> Node:
        return self.network.nodes[Party(party)]

    def store(self, party: str) -> MemoryStore:
        """A party's state, as whoever stole its disk would see it."""
        store = self[party].store
        if not isinstance(store, MemoryStore):
            raise AssertionError("stores of the World are in memory")
        return store

    # -- time ---------------------------------------------------------------------------------

    @property
    def now(self) -> Millis:
        """The present, in ms."""
        return self.clock()

    def advance_to(self, when: int) -> None:
        """Let time pass until ``when``; what falls due on the way is done on its day."""
        relay = self._relay
        while (due := relay.next_due(self.store("relay"))) is not None and due <= when:
            self.clock.advance_to(max(due, self.now))
            self.settle()
            if relay.next_due(self.store("relay")) == due:
                break  # out of reach: it stays due
        self.clock.advance_to(max(when, self.now))

    def advance(self, by: int) -> None:
        """Let ``by`` ms pass."""
        self.advance_to(self.now + by)

    def settle(self) -> None:
        """One round in which every party does what is due and follows the log."""
        for party, node in self.network.nodes.items():
            if party not in self.network.down:
                complete(self._tick(node))

    async def _tick(self, node: Node) -> None:
        try:
            await node.tick()
        except UnavailableError:
            pass

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
