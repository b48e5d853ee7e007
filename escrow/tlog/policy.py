"""C2SP tlog-policy files: logs, witnesses, and a quorum made of nested groups with thresholds.

The file speaks of bytes; names are opaque. Each name may be a member once, so no witness counts twice anywhere.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Self

from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tlog.note import Note
from escrow.tlog.quorum import Head, check_witnesses, verify_head
from escrow.tlog.spelling import from_decimal
from escrow.tlog.vkey import KeyType, VerifierKey

_NONE = b"none"


@dataclass(frozen=True, slots=True)
class Group:
    """Counts as one witness as soon as ``threshold`` of its members, witnesses or groups, do."""

    threshold: int
    members: "tuple[Member, ...]"

    def suffices(self, cosigned: Set[VerifierKey]) -> bool:
        """Whether enough members are witnessed by ``cosigned``."""
        return sum(_counts(member, cosigned) for member in self.members) >= self.threshold


Member = VerifierKey | Group


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed file. ``quorum`` without members (threshold 0) is the file's ``none``."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...]
    quorum: Group

    def suffices(self, cosigned: Set[VerifierKey]) -> bool:
        """Whether the file's quorum is met."""
        return self.quorum.suffices(cosigned)

    def head(self, note: bytes) -> Head:
        """The head that a signed note proves to whoever trusts this file: one of its logs, and its quorum.

        Raises what ``verify_head`` raises.
        """
        parsed = Note.parse(note)
        heads = [verify_head(note, log, self) for log in self.logs if parsed.by(log)]
        if not heads:
            raise RefusedError(Reason.SIGNATURE_INVALID, "no log of the policy file signed the note")
        return heads[0]

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read a file; raise ``MalformedError`` naming the line."""
        if any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in text):
            raise MalformedError("a policy file contains a control character")
        if text and not text.endswith(b"\n"):
            raise MalformedError("the last line of a policy file has no end")
        reader = _Reader()
        for number, line in enumerate(text.split(b"\n"), 1):
            words = line.replace(b"\t", b" ").split(b" ")
            try:
                reader.read([word for word in words if word])
            except MalformedError as error:
                raise MalformedError(f"line {number}: {error.detail}") from None
        if reader.quorum is None:
            raise MalformedError("a policy file has a quorum line")
        return cls(tuple(reader.logs), tuple(reader.witnesses), reader.quorum)


@dataclass(slots=True)
class _Reader:
    """What the lines read so far have defined."""

    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: list[VerifierKey] = field(default_factory=list)
    defined: dict[bytes, Member] = field(default_factory=dict)
    grouped: set[bytes] = field(default_factory=set)
    quorum: Group | None = None

    def read(self, words: list[bytes]) -> None:
        """Take in one line."""
        match words:
            case []:
                return
            case [first, *_] if first.startswith(b"#"):
                return
            case [b"log", vkey] | [b"log", vkey, _]:
                self._log(_vkey(vkey))
            case [b"witness", name, vkey] | [b"witness", name, vkey, _]:
                self._witness(name, _vkey(vkey))
            case [b"group", name, threshold, *members] if members:
                self._define(name, self._group(threshold, members))
            case [b"quorum", name] if self.quorum is None:
                self.quorum = Group(0, ()) if name == _NONE else Group(1, (self._named(name),))
            case _:
                raise MalformedError("not a line of a policy file")

    def _log(self, key: VerifierKey) -> None:
        if key.type is KeyType.COSIGNATURE:
            raise MalformedError("a log has an Ed25519 key of the plain type or an ML-DSA-44 key")
        if any(key.public == known.public for known in self.logs):
            raise MalformedError("two logs share a key")
        self.logs.append(key)

    def _witness(self, name: bytes, key: VerifierKey) -> None:
        check_witnesses((*self.witnesses, key))
        self._define(name, key)
        self.witnesses.append(key)

    def _group(self, threshold: bytes, names: list[bytes]) -> Group:
        if len(set(names)) != len(names) or self.grouped & set(names):
            raise MalformedError("a name is a member twice")
        members = tuple(self._named(name) for name in names)
        self.grouped |= set(names)
        words = {b"any": 1, b"all": len(members)}
        least = words.get(threshold) or from_decimal(threshold.decode("latin-1"), "a threshold")
        if not 1 <= least <= len(members):
            raise MalformedError(f"a threshold of {least} among {len(members)} members")
        return Group(least, members)

    def _define(self, name: bytes, member: Member) -> None:
        if name == _NONE or name in self.defined:
            raise MalformedError("a name is taken")
        self.defined[name] = member

    def _named(self, name: bytes) -> Member:
        if name not in self.defined:
            raise MalformedError("a name is not defined above")
        return self.defined[name]


def _counts(member: Member, cosigned: Set[VerifierKey]) -> bool:
    return member.suffices(cosigned) if isinstance(member, Group) else member in cosigned


def _vkey(text: bytes) -> VerifierKey:
    try:
        return VerifierKey.parse(text.decode())
    except UnicodeDecodeError:
        raise MalformedError("a verifier key is UTF-8") from None
