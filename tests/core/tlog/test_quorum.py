"""When a checkpoint counts: distinct known witnesses, a fair time, and nested groups from a policy file."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import EMPTY_ROOT
from escrow.tlog.policy import Policy
from escrow.tlog.quorum import Quorum, Rule, verify_head
from escrow.tlog.vkey import KeyType, VerifierKey

N = 5
LOG = SigningKey.from_seed(bytes(31) + b"\x01")
LOG_KEY = VerifierKey.of("log.example/1", LOG.public)
WITNESSES = [SigningKey.from_seed(bytes(31) + bytes([16 + index])) for index in range(N)]
NAMES = [f"witness.example/{index}" for index in range(N)]
KEYS = tuple(VerifierKey.of(name, key.public, KeyType.COSIGNATURE) for name, key in zip(NAMES, WITNESSES, strict=True))
STATED = Checkpoint(LOG_KEY.name, 9, bytes(32))


def cosigned(times: list[tuple[int, int]], stated: Checkpoint = STATED) -> bytes:
    """The checkpoint of the log with the lines of these (witness, time in s)."""
    note = checkpoint.sign(stated, LOG_KEY.name, LOG)
    return note + b"".join(cosignature.sign(stated.text(), NAMES[who], WITNESSES[who], time) for who, time in times)


@given(st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, 2**40)), max_size=12), st.integers(1, N))
def test_a_quorum_counts_different_witnesses(times: list[tuple[int, int]], k: int) -> None:
    latest = {who: max(time for other, time in times if other == who) for who, _ in times}
    note = cosigned(times)
    if len(latest) < k:
        with pytest.raises(RefusedError) as refusal:
            verify_head(note, LOG_KEY, Quorum(KEYS, k))
        assert refusal.value.reason is Reason.QUORUM_MISSING
    else:
        head = verify_head(note, LOG_KEY, Quorum(KEYS, k))
        assert (head.origin, head.size, head.root, head.note) == (STATED.origin, 9, STATED.root, note)
        assert head.time_ms == 1000 * sorted(latest.values())[(len(latest) - 1) // 2]


def test_unknown_witnesses_never_count() -> None:
    with pytest.raises(RefusedError):
        verify_head(cosigned([(0, 5), (1, 5), (2, 5)]), LOG_KEY, Quorum(KEYS[2:], 2))


@pytest.mark.spec("TLG-1")
def test_one_wrong_cosignature_of_a_known_witness_spoils_the_note() -> None:
    other = Checkpoint(LOG_KEY.name, 10, bytes(32))
    note = cosigned([(0, 5), (1, 5), (2, 5)]) + cosignature.sign(other.text(), NAMES[3], WITNESSES[3], 5)
    with pytest.raises(RefusedError) as refusal:
        verify_head(note, LOG_KEY, Quorum(KEYS, 3))
    assert refusal.value.reason is Reason.SIGNATURE_INVALID
    assert verify_head(note, LOG_KEY, Quorum(KEYS[:3], 3)).size == 9


def test_witnesses_without_the_log_prove_nothing() -> None:
    lines = b"".join(cosignature.sign(STATED.text(), NAMES[who], WITNESSES[who], 5) for who in range(N))
    with pytest.raises(RefusedError) as refusal:
        verify_head(STATED.text() + b"\n" + lines, LOG_KEY, Quorum(KEYS, 1))
    assert refusal.value.reason is Reason.SIGNATURE_INVALID


def test_witnesses_of_one_log_do_not_vouch_for_another() -> None:
    stranger = SigningKey.from_seed(bytes(31) + b"\x02")
    stranger_key = VerifierKey.of("log.example/2", stranger.public)
    note = checkpoint.sign(STATED, stranger_key.name, stranger)
    lines = b"".join(cosignature.sign(STATED.text(), NAMES[who], WITNESSES[who], 5) for who in range(N))
    with pytest.raises(RefusedError):
        verify_head(note + lines, stranger_key, Quorum(KEYS, 3))


def test_a_minority_of_lying_clocks_does_not_move_the_time_out_of_the_honest_range() -> None:
    for liars in combinations(range(N), 2):
        for lie in (0, 2**60):
            times = [(who, lie if who in liars else 1_000 + who) for who in range(N)]
            assert 1_000_000 <= verify_head(cosigned(times), LOG_KEY, Quorum(KEYS, 3)).time_ms <= 1_004_000


def test_an_empty_tree_has_the_empty_root() -> None:
    empty = Checkpoint(LOG_KEY.name, 0, EMPTY_ROOT)
    assert verify_head(cosigned([(0, 5)], empty), LOG_KEY, Quorum(KEYS, 1)).size == 0
    with pytest.raises(IntegrityError) as refusal:
        verify_head(cosigned([(0, 5)], Checkpoint(LOG_KEY.name, 0, bytes(32))), LOG_KEY, Quorum(KEYS, 1))
    assert refusal.value.reason is Reason.LOG_INCONSISTENT


def test_one_key_under_two_names_is_not_two_witnesses() -> None:
    again = VerifierKey.of("witness.example/again", WITNESSES[0].public, KeyType.COSIGNATURE)
    with pytest.raises(MalformedError):
        Quorum((*KEYS, again), 2)


@pytest.mark.spec("TLG-3")
def test_two_witnesses_are_told_apart_by_name_and_key_id() -> None:
    twin = replace(KEYS[1], name=KEYS[0].name, key_id=KEYS[0].key_id)
    with pytest.raises(MalformedError, match="key id"):
        Quorum((KEYS[0], twin), 1)


@pytest.mark.parametrize("k", [-1, 0, N + 1])
def test_a_quorum_is_neither_nobody_nor_more_than_all(k: int) -> None:
    with pytest.raises(MalformedError):
        Quorum(KEYS, k)


def test_a_log_key_is_no_witness_key() -> None:
    with pytest.raises(MalformedError):
        Quorum((LOG_KEY,), 1)


FILE = (
    f"# two of X, and Y\n\nlog {LOG_KEY.format()} https://log.example/\n"
    + "".join(f"  witness\tX{index} {KEYS[index].format()}\n" for index in range(3))
    + "".join(f"witness Y{index} {KEYS[index].format()} https://y.example/\n" for index in (3, 4))
    + "group X 2 X0 X1 X2\ngroup Y any Y3 Y4\ngroup both all X Y\nquorum both\n"
)


def test_a_policy_file_is_the_rule_it_describes() -> None:
    policy = Policy.parse(FILE.encode())
    assert (policy.logs, policy.witnesses) == ((LOG_KEY,), KEYS)
    rule: Rule = policy
    for many in range(N + 1):
        for some in combinations(range(N), many):
            enough = len({0, 1, 2} & set(some)) >= 2 and bool({3, 4} & set(some))
            assert rule.suffices({KEYS[who] for who in some}) is enough
    assert verify_head(cosigned([(0, 5), (2, 6), (4, 7)]), LOG_KEY, policy).time_ms == 6_000
    with pytest.raises(RefusedError):
        verify_head(cosigned([(0, 5), (1, 5), (2, 6)]), LOG_KEY, policy)


def test_a_policy_may_ask_for_one_witness_or_for_none() -> None:
    one = Policy.parse(f"witness w {KEYS[0].format()}\nquorum w\n".encode())
    assert one.suffices({KEYS[0]})
    assert not one.suffices({KEYS[1]})
    assert verify_head(cosigned([]), LOG_KEY, Policy.parse(b"quorum none\n")).time_ms == 0


W0, W1 = (f"witness w{index} {KEYS[index].format()}\n" for index in (0, 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        W0,
        "quorum w0\n" + W0,
        W0 + "quorum w0\nquorum w0\n",
        W0 + "quorum w0",
        W0 + W0 + "quorum w0\n",
        W0 + f"witness again {KEYS[0].format()}\nquorum w0\n",
        f"witness none {KEYS[0].format()}\nquorum none\n",
        f"witness w {LOG_KEY.format()}\nquorum w\n",
        f"log {KEYS[0].format()}\nquorum none\n",
        f"log {LOG_KEY.format()}\nlog {VerifierKey.of('other', LOG.public).format()}\nquorum none\n",
        "witness w vkey\nquorum w\n",
        "witness w\nquorum none\n",
        W0 + "group g 1\nquorum g\n",
        W0 + "group g all w0 w0\nquorum g\n",
        W0 + "group g 1 none\nquorum g\n",
        W0 + "group g 1 w1\nquorum g\n" + W1,
        W0 + "group g 1 g\nquorum g\n",
        W0 + W1 + "group g 0 w0 w1\nquorum g\n",
        W0 + W1 + "group g 3 w0 w1\nquorum g\n",
        W0 + W1 + "group g 01 w0 w1\nquorum g\n",
        W0 + W1 + "group g most w0 w1\nquorum g\n",
        W0 + W1 + "group g any w0\ngroup h any w0 w1\nquorum h\n",
        W0 + "group w0 any w0\nquorum w0\n",
        W0 + "quorum w0\r\n",
        W0 + "quorum\u000bw0\n",
        "Quorum none\n",
        "quorum none none\n",
    ],
)
def test_a_policy_file_with_a_flaw_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        Policy.parse(text.encode())


def test_a_policy_file_names_the_line_of_its_flaw() -> None:
    with pytest.raises(MalformedError, match="line 3"):
        Policy.parse(b"# one\n\nquorum nobody\n")


def test_names_in_a_policy_file_are_bytes() -> None:
    kelvin = "\u212a".encode()
    head = b"witness " + kelvin + b" " + KEYS[0].format().encode() + b"\n"
    assert Policy.parse(head + b"quorum " + kelvin + b"\n").witnesses == KEYS[:1]
    with pytest.raises(MalformedError):
        Policy.parse(head + b"quorum K\n")
    with pytest.raises(MalformedError):
        Policy.parse(b"witness w \xff+00000000+AA==\nquorum w\n")
