"""RFC 5869, appendix A, SHA-256."""

import json
from pathlib import Path

from escrow.crypto.kdf import hkdf_expand, hkdf_extract


def test_the_published_keys_come_out(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/rfc5869-hkdf/rfc5869_sha256.json").read_text())
    assert len(vectors) == 3
    for vector in vectors:
        prk = hkdf_extract(bytes.fromhex(vector["salt"]), bytes.fromhex(vector["ikm"]))
        assert prk.hex() == vector["prk"]
        assert hkdf_expand(prk, bytes.fromhex(vector["info"]), int(vector["L"])).hex() == vector["okm"]
