"""The table of every method on the wire: which call it carries, on which service, in which messages.

A call and its method have the same name; where the generated services and the calls of the roles do not match
one to one, this module does not import.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, get_args

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from escrow.roles.calls import AnyCall, Call
from escrow.rpc.settle import Settle
from escrow.wire.v1 import authority_pb2, custodian_pb2, lab_pb2, log_pb2, relay_pb2, witness_pb2

LAB_SERVICE: Final = "escrow.wire.v1.LabService"


@dataclass(frozen=True, slots=True)
class Method:
    """How one kind of call travels. ``path`` is what HTTP/2 carries: ``/package.Service/Method``."""

    call: type[Call]
    service: str
    name: str
    request: type[Message]
    response: type[Message]

    @property
    def path(self) -> str:
        """The full method name."""
        return f"/{self.service}/{self.name}"


def _tabulate(calls: tuple[type[Call], ...], files: tuple[FileDescriptor, ...]) -> Mapping[type[Call], Method]:
    by_name = {call.__name__: call for call in calls}
    table = {}
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                call = by_name.pop(method.name)
                request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
                table[call] = Method(call, service.full_name, method.name, request, response)
    if by_name:
        raise AssertionError(f"calls without a method: {sorted(by_name)}")
    return MappingProxyType(table)


METHODS: Final = _tabulate(
    (*get_args(AnyCall), Settle),
    tuple(module.DESCRIPTOR for module in (log_pb2, witness_pb2, relay_pb2, custodian_pb2, authority_pb2, lab_pb2)),
)
"""Call type -> method."""


def service_of(part: str) -> str:
    """The service that a part serves, by the first word of its party: ``custodian`` -> ``…CustodianService``."""
    return f"escrow.wire.v1.{part.capitalize()}Service"
