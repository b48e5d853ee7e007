"""A committee one of whose members cheats, and the question whether the key that it ends with is good."""

from collections.abc import Mapping, Sequence

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import ShareRequest, scheme_of
from escrow.committee.dkg import SILENCE
from escrow.committee.documents import CommitteeKey, ShareGeneration, verify_generation, verify_key
from escrow.encoding import u64
from escrow.roles.authorised import context_of, proposal_for
from escrow.roles.calls import CommitteeStatus, GetCommittee
from escrow.roles.custodian import Custodian
from escrow.roles.custodian.state import MADE, Holding, load_holding
from escrow.roles.ledger import LEAVES
from escrow.roles.machine import Read
from escrow.secret import Secret
from escrow.warrant.genesis import Genesis
from escrow.world.founding import Terms
from escrow.world.world import World
from escrow_lab.malice.custodian import PLAYED, CheatingCustodian
from escrow_lab.malice.deviations import DEVIATIONS
from escrow_lab.malice.verdicts import Verdict, verdicts

TERMS = Terms(custodians=3, threshold=2, witnesses=1, quorum=1)
CHEAT = 2
NAMED = [each.name for each in DEVIATIONS.values() if each.ends is not None]
UNNAMED = [each.name for each in DEVIATIONS.values() if each.ends is None]
ROUNDS = 400
SEED = Secret(b"what is sealed to the committee "[:32])
LABEL = b"a label"


def opens(genesis: Genesis, holdings: Mapping[int, Holding]) -> bool:
    """Whether the shares of these custodians, by index, open what is sealed to their key."""
    holding = next(iter(holdings.values()))
    context, scheme = context_of(genesis, holding.key), scheme_of(genesis.policy.suite)
    capsule = scheme.encapsulate(context, LABEL, SEED)
    wanted = ShareRequest(context, holding.generation.hash, LABEL, capsule, bytes(32))
    shares = {
        index: scheme.share(wanted, each.share, index, bytes(32)) for index, each in holdings.items() if each.share
    }
    return open_capsule(wanted, holding.generation, shares).seed == SEED


class Cheated:
    """A World in which some custodians, by index, play the runs of the present period."""

    def __init__(self, runs: Mapping[int, Sequence[Sequence[str]]], terms: Terms = TERMS) -> None:
        self.world = World(terms=terms)
        self.genesis = self.world.genesis
        policy = self.genesis.policy
        self.period = policy.period_of(policy.epoch_of(self.world.now))
        for index, plan in runs.items():
            node = self.world[f"custodian/{index}"]
            assert isinstance(node.role, Custodian)
            played = {self.period: tuple(tuple(names) for names in plan)}
            node.role = CheatingCustodian(self.genesis, index, node.role.identity, plan=played)

    def play(self) -> "Cheated":
        """Until all serve a key. Where nothing moves, time passes, but not so fast that nobody can complain."""
        size = -1
        for _ in range(ROUNDS):
            self.world.settle()
            if all(status.generation for status in self.statuses()):
                return self
            if len(self.leaves()) == size:
                self.world.clock.advance_to(self.world.now + SILENCE // 2)
            size = len(self.leaves())
        raise AssertionError("no key in time")

    def statuses(self) -> list[CommitteeStatus]:
        return [self.world.ask(party, GetCommittee()) for party in self.genesis.custodian_keys]

    def leaves(self) -> list[bytes]:
        return self.world.store("log").records(LEAVES, start=0, limit=1 << 20)

    def verdicts(self) -> list[Verdict]:
        return verdicts(self.genesis, self.period, self.leaves())

    def stores(self) -> dict[int, Read]:
        """The disk of each custodian."""
        parties = enumerate(self.genesis.custodian_keys, start=1)
        return {index: self.world.store(party) for index, party in parties}


def holdings(genesis: Genesis, period: int, stores: Mapping[int, Read]) -> dict[int, Holding]:
    """What each custodian holds of the period's key, all of which must be the same key with the same shares."""
    made = {index: store.get(MADE + u64(period)) for index, store in stores.items()}
    held = {index: load_holding(stores[index], key_hash) for index, key_hash in made.items() if key_hash}
    found = {index: each for index, each in held.items() if each is not None}
    assert found.keys() == stores.keys()
    ((key, generation),) = {(each.key_bytes, each.generation_bytes) for each in found.values()}
    verify_key(CommitteeKey.decode(key), proposal_for(genesis, period))
    verify_generation(ShareGeneration.decode(generation), CommitteeKey.decode(key), proposal_for(genesis, period))
    return found


def played(store: Read) -> int:
    """In how many runs this custodian has said something else than it should."""
    return sum(1 for _ in store.scan(PLAYED))
