"""The tlog-policy example of transparency-dev/formats.

Its witnesses have keys of the Ed25519 type, which that library takes for cosignature keys. The specification wants
"a signature type appropriate for the respective function", so as published the file is refused; with the same public
keys as cosignature keys it is read.
"""

import json
import re
from pathlib import Path

import pytest

from escrow.errors import MalformedError
from escrow.tlog.policy import Policy
from escrow.tlog.vkey import KeyType, VerifierKey


def test_the_published_example_is_read_once_its_keys_have_the_right_type(shared: Path) -> None:
    for text in json.loads((shared / "vectors/tlog-policy/policy_examples.json").read_text())["valid"]:
        with pytest.raises(MalformedError, match="cosignature key"):
            Policy.parse(text.encode())
        policy = Policy.parse(re.sub(r"\S+\+\S+\+\S+", _as_cosigner, text).encode())
        one, two = policy.witnesses
        assert (one.name, two.name) == ("sigsum.org", "example.com")
        assert policy.suffices({one, two})
        assert not policy.suffices({one})


def _as_cosigner(match: re.Match[str]) -> str:
    key = VerifierKey.parse(match[0])
    return VerifierKey.of(key.name, key.public, KeyType.COSIGNATURE).format()
