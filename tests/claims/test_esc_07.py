"""ESC-07: what the receiver is shown and what an agency recovers is the same: the message, and the file it names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto import aead
from escrow.e2ee.attachment import Opening, _keys, _nonce, seal
from escrow.e2ee.blob import NAMELESS, extend_name, padded_size
from escrow.e2ee.content import decode_content, encode_content
from escrow.e2ee.file import File
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.roles.agency.commands import GetOpened
from escrow.roles.device.commands import GetInbox, SendFile, Sync
from escrow.roles.device.state import ESCROW
from escrow.secret import Secret
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.core.roles.scene import MINUTE, scene

pytestmark = pytest.mark.claim("ESC-07")

contents = st.binary(max_size=3000)


def blob_of(chunks: list[bytes]) -> bytes:
    name = NAMELESS
    for index, chunk in enumerate(chunks, start=1):
        name = extend_name(name, chunk, last=index == len(chunks))
    return name


def sealed(key: bytes, content: bytes) -> list[bytes]:
    return list(seal(Secret(key), len(content), [content]))


def opened(file: File, chunks: list[bytes]) -> bytes:
    """What receiver and agency do alike with the file that a message names and the chunks that the relay hands out."""
    opening = Opening(file.key, file.size, file.blob)
    content = b"".join([opening.take(chunk) for chunk in chunks])
    opening.finish()
    return content


@given(seeds, contents, st.data())
def test_of_two_files_that_a_sender_seals_under_one_key_one_passes(
    census: Census, key: bytes, content: bytes, data: st.DataObject
) -> None:
    chunks = sealed(key, content)
    file = File("f", len(content), blob_of(chunks), Secret(key))
    assert opened(file, chunks) == content
    census("accepted")
    other = data.draw(st.binary(min_size=len(content), max_size=len(content)))
    if other != content:
        with pytest.raises(RefusedError) as refused:
            opened(file, sealed(key, other))
        assert refused.value.reason is Reason.ATTACHMENT_INVALID
        census("second file refused")


@given(seeds, seeds, contents, st.integers(0, 4000))
def test_a_file_opens_under_one_key_and_in_one_size(
    census: Census, key: bytes, other: bytes, content: bytes, size: int
) -> None:
    chunks = sealed(key, content)
    for wrong_key, wrong_size in ((other, len(content)), (key, size)):
        if (wrong_key, wrong_size) != (key, len(content)):
            with pytest.raises(RefusedError) as refused:
                opened(File("f", wrong_size, blob_of(chunks), Secret(wrong_key)), chunks)
            assert refused.value.reason is Reason.COMMITMENT_MISMATCH
            census("refused before it is decrypted")


@given(seeds, contents, st.binary(min_size=1, max_size=64).filter(any))
def test_nothing_hides_in_the_padding(census: Census, key: bytes, content: bytes, hidden: bytes) -> None:
    room = padded_size(len(content)) - len(content)
    if len(hidden) <= room:
        keys = _keys(Secret(key), len(content))
        padded = content + bytes(room - len(hidden)) + hidden
        chunk = aead.seal(keys.encryption.expose(), _nonce(keys, 0, last=True), padded, keys.commitment)
        chunks = [keys.commitment + chunk]
        with pytest.raises(RefusedError) as refused:
            opened(File("f", len(content), blob_of(chunks), Secret(key)), chunks)
        assert refused.value.reason is Reason.ATTACHMENT_INVALID
        census("hidden content refused")


@given(st.builds(File, st.text(max_size=20), st.integers(0, 1 << 20), seeds, seeds.map(Secret)), st.data())
def test_what_a_message_says_of_a_file_has_one_meaning(census: Census, file: File, data: st.DataObject) -> None:
    encoded = bytearray(encode_content(file))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        content = decode_content(bytes(encoded))
    except MalformedError:
        return
    assert content != file
    assert encode_content(content) == encoded
    census("another file")


@effort(0.02)
@given(seeds, st.lists(contents, min_size=1, max_size=2))
def test_what_a_warrant_opens_is_what_was_shown(census: Census, key: bytes, files: list[bytes]) -> None:
    at = scene().rewind("said")
    for place, content in enumerate(files):
        file = File(f"{place}", len(content), blob_of(sealed(key, content)), Secret(key))
        at.world.run(at.bob, SendFile("alice", ESCROW, file))
    for device in (at.bob, at.alice):
        at.world.run(device, Sync())
    at.pass_time(60 * MINUTE)
    warrant_id = at.apply()
    at.sign("issuer", ISSUERS[0], warrant_id)
    at.sign("approver", APPROVERS[0], warrant_id)
    at.settle()
    at.pass_time(2 * MINUTE)
    at.execute(warrant_id)
    recovered = {item.body_id: item for item in at.world.run(at.agency, GetOpened(warrant_id)).items}
    bob = at.account(at.bob)
    shown = {one.body_id: one for one in at.world.run(at.alice, GetInbox(0)).messages if one.sender == bob}
    assert recovered.keys() == shown.keys()
    for name, message in shown.items():
        assert recovered[name].text == message.text
        if isinstance(message.content, File):
            assert recovered[name].file == message.content
            census("file agreed")
