"""Four eyes: what the people who run a custodian sign when a release needs their leave, besides all rules.

Their word is about one request, by its hash, at one custodian: it serves for no other. It opens nothing by itself.
"""

from escrow.crypto import sign
from escrow.encoding import u8
from escrow.tags import T, Tag


def operator_statement(custodian: bytes, request_hash: bytes, *, allow: bool) -> bytes:
    """What an operator signs: yes or no to one request at the custodian with this identity key."""
    return T(Tag.OPERATOR, custodian, request_hash, u8(allow))


def check_operator(public: bytes, custodian: bytes, request_hash: bytes, signature: bytes, *, allow: bool) -> None:
    """``SIGNATURE_INVALID`` unless the operator with this key has said so."""
    sign.verify(public, operator_statement(custodian, request_hash, allow=allow), signature)
