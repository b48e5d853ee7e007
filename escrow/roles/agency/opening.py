"""From custodians' responses to text: combine, check by re-encryption, name who sent what does not verify, decrypt."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from escrow.capsule.body import body_id, open_body
from escrow.capsule.chain import first_chain_key, message_key, next_chain_key
from escrow.capsule.combine import open_another, open_capsule
from escrow.capsule.receipt import Receipt
from escrow.capsule.schemes import CommitteeContext, ShareRequest, scheme_of
from escrow.capsule.schemes.base import NO_SHARE
from escrow.committee.documents import ShareGeneration
from escrow.crypto.hpke import RecipientKey
from escrow.e2ee.content import Content, Retry, decode_content
from escrow.e2ee.file import File
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.roles.agency.commands import OpenedItem
from escrow.secret import Secret
from escrow.warrant.item import Item
from escrow.warrant.release import ReleaseResponse, hpke_info
from escrow.warrant.request import ReleaseRequest


def read_response(
    recipient: RecipientKey, request: ReleaseRequest, generation: ShareGeneration, index: int, sealed: bytes
) -> ReleaseResponse:
    """The response of custodian ``index``; ``SHARE_INVALID`` if it is none to this request."""
    if not 1 <= index <= generation.n:
        raise RefusedError(Reason.SHARE_INVALID, f"{index} is no holder's index")
    info = hpke_info(request.seal_tag, request.hash, generation.members[index - 1], generation.hash)
    try:
        response = ReleaseResponse.decode(recipient.open(info, sealed))
    except EscrowError as error:
        raise RefusedError(Reason.SHARE_INVALID, error.detail) from None
    answers = response.index, response.generation_hash, response.request_hash, len(response.shares)
    if answers != (index, generation.hash, request.hash, request.count):
        raise RefusedError(Reason.SHARE_INVALID, f"custodian {index} answers something else")
    return response


def read_responses(
    recipient: RecipientKey, request: ReleaseRequest, generation: ShareGeneration, sealed: Mapping[int, bytes]
) -> dict[int, ReleaseResponse]:
    """The responses that custodians made with their shares of ``generation``, by index."""
    responses = {}
    for index, data in sealed.items():
        with suppress(RefusedError):
            responses[index] = read_response(recipient, request, generation, index, data)
    return responses


def open_items(
    context: CommitteeContext,
    generation: ShareGeneration,
    request: ReleaseRequest,
    responses: Mapping[int, ReleaseResponse],
) -> tuple[list[OpenedItem], frozenset[int]]:
    """Every item of a request, opened or with the reason why not, and the indices of custodians with bad shares.

    Raises ``NOT_ENOUGH_SHARES`` if fewer custodians than the threshold have answered.
    """
    if len(responses) < generation.threshold:
        raise RefusedError(Reason.NOT_ENOUGH_SHARES, f"{len(responses)} of {generation.threshold}")
    opened: list[OpenedItem] = []
    culprits: set[int] = set()
    units: dict[tuple[bytes, ...], dict[tuple[bytes, bytes], list[Item]]] = {}
    for item in request.items:
        units.setdefault(item.unit, {}).setdefault(item.capsule_id, []).append(item)
    for unit, (wanted, shares) in zip(request.units, _shares(context, generation, request, responses), strict=True):
        key: Secret | None = None
        for items in units[unit].values():
            label, capsule = items[0].label, items[0].capsule
            try:
                if key is None:
                    combined = open_capsule(replace(wanted, label=label, capsule=capsule), generation, shares)
                    key, seed = combined.key, combined.seed
                    culprits |= combined.culprits
                else:  # the key of the unit opens all its capsules
                    seed = open_another(context, label, capsule, key)
            except EscrowError as error:
                culprits.update(int(name.partition("/")[2]) for name in error.culprits if name.startswith("custodian/"))
                opened += [_not_opened(item, error.reason) for item in items]
                continue
            opened += [_open(item, seed) for item in items]
    return opened, frozenset(culprits)


def invalid_shares(
    context: CommitteeContext,
    generation: ShareGeneration,
    request: ReleaseRequest,
    responses: Mapping[int, ReleaseResponse],
) -> frozenset[int]:
    """The custodians with a share that does not verify, each proof looked at; nothing is opened.

    Who says that its part of a capsule holds nothing, where that may be true, is not among them.
    """
    scheme, found = scheme_of(context.suite), set[int]()
    for wanted, shares in _shares(context, generation, request, responses):
        for index, share in shares.items():
            if share == NO_SHARE and scheme.may_abstain():
                continue
            try:
                scheme.verify_share(wanted, generation.verification_of(index), index, share)
            except EscrowError:
                found.add(index)
    return frozenset(found)


def _shares(
    context: CommitteeContext,
    generation: ShareGeneration,
    request: ReleaseRequest,
    responses: Mapping[int, ReleaseResponse],
) -> Iterator[tuple[ShareRequest, dict[int, bytes]]]:
    """Unit by unit, in the order of the request: what was asked for, and the shares by custodian."""
    items = {item.unit: item for item in request.items}
    for place, unit in enumerate(request.units):
        item = items[unit]
        shares = {index: response.shares[place] for index, response in responses.items()}
        yield ShareRequest(context, generation.hash, item.label, item.capsule, request.hash), shares


def _open(item: Item, seed: Secret) -> OpenedItem:
    label_hash, _ = item.capsule_id
    key = first_chain_key(seed, label_hash)
    for index in range(item.header.index):
        key = next_chain_key(key, label_hash, index)
    try:
        padded = open_body(message_key(key, label_hash, item.header.index), item.body)
        return _shown(item, decode_content(padded), "")
    except EscrowError as error:
        return _not_opened(item, error.reason)


def _not_opened(item: Item, reason: Reason) -> OpenedItem:
    return _shown(item, None, reason.name)


def _shown(item: Item, content: Content | None, reason: str) -> OpenedItem:
    label, receipt = item.terms, Receipt.decode(item.receipt)
    who = label.sender_account, label.sender_device, label.conv_tag
    content = content.content if isinstance(content, Retry) else content
    said, file = content.text if content else "", content if isinstance(content, File) else None
    return OpenedItem(body_id(item.body), *who, receipt.ingest_seq, receipt.ingest_time, said, reason, file)
