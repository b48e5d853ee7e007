import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.crypto.hpke import ENC_SIZE, Hpke, RecipientKey, SystemHpke
from escrow.crypto.hpke_seeded import SeededHpke
from escrow.crypto.xwing import PUBLIC_SIZE
from escrow.errors import MalformedError, Reason, RefusedError
from tests.core.crypto.draws import flip

KEY = RecipientKey.from_seed(b"r" * 32)
INFO = b"what both sides know"
SEALED = SystemHpke().seal(KEY.public, INFO, b"a share")
SENDERS = pytest.mark.parametrize("sender", [SystemHpke(), SeededHpke(bytes)], ids=["system", "seeded"])


def refused(key: RecipientKey, info: bytes, sealed: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        key.open(info, sealed)
    assert caught.value.reason is Reason.SHARE_INVALID


@SENDERS
@pytest.mark.parametrize("plaintext", [b"", b"a share", bytes(500)])
def test_what_is_sealed_opens_with_the_same_key_and_info(sender: Hpke, plaintext: bytes) -> None:
    sealed = sender.seal(KEY.public, INFO, plaintext)
    assert len(sealed) == ENC_SIZE + len(plaintext) + 16
    assert KEY.open(INFO, sealed) == plaintext
    refused(KEY, INFO + b"!", sealed)
    refused(RecipientKey.from_seed(b"other".ljust(32)), INFO, sealed)


@settings(max_examples=40)
@given(st.integers(0, 8 * len(SEALED) - 1))
def test_a_flipped_bit_anywhere_is_refused(bit: int) -> None:
    refused(KEY, INFO, flip(SEALED, bit))


@pytest.mark.parametrize("length", [0, 32, ENC_SIZE - 1, ENC_SIZE, ENC_SIZE + 15, len(SEALED) - 1])
def test_a_message_cut_short_is_refused(length: int) -> None:
    refused(KEY, INFO, SEALED[:length])


def test_an_encapsulation_with_a_key_of_low_order_is_refused() -> None:
    refused(KEY, INFO, SEALED[: ENC_SIZE - 32] + bytes(32) + SEALED[ENC_SIZE:])


def test_a_refusal_carries_the_reason_the_caller_asked_for() -> None:
    with pytest.raises(RefusedError) as caught:
        KEY.open(INFO, b"", Reason.ENVELOPE_INVALID)
    assert caught.value.reason is Reason.ENVELOPE_INVALID


@SENDERS
@pytest.mark.parametrize(
    "public",
    [
        b"",
        KEY.public[:-1],
        KEY.public + b"\x00",
        b"\xff" * (PUBLIC_SIZE - 32) + KEY.public[-32:],
        KEY.public[:-32] + bytes(32),
    ],
    ids=["empty", "short", "long", "beyond the modulus", "low order"],
)
def test_nothing_is_sealed_to_an_invalid_key(sender: Hpke, public: bytes) -> None:
    with pytest.raises(MalformedError):
        sender.seal(public, INFO, b"a share")


def test_only_the_seeded_sender_repeats_itself() -> None:
    assert SeededHpke(bytes).seal(KEY.public, INFO, b"x") == SeededHpke(bytes).seal(KEY.public, INFO, b"x")
    assert SystemHpke().seal(KEY.public, INFO, b"x") != SystemHpke().seal(KEY.public, INFO, b"x")


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(MalformedError):
        RecipientKey.from_seed(bytes(31))


def test_no_key_prints_its_seed() -> None:
    assert "rrrr" not in repr(KEY)
    assert (b"r" * 32).hex() not in repr(KEY)
