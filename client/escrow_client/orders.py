"""``doublelock warrant``, what people order: to refuse a warrant, to stop and resume it, to keep it secret for longer.

Each is one person's signature. What stops needs no second one; what starts again, or keeps secret, needs both locks,
and waits at the authority for the other.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from escrow_client.official_commands import at_the_desk, person_option, warrant_argument
from escrow_client.options import home_option, json_option, moment_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from escrow.roles.calls import Case
    from escrow_client.official import Official

until_option = click.option("--until", type=moment_of, metavar="TIME", required=True, help="The new time.")

_PLAIN: Final[dict[str, tuple[str, "Callable[[Official, bytes], Awaitable[Case]]"]]] = {
    "refuse": (
        "Say no as approver: before the seal, or of an urgent warrant that lacks the second lock.",
        lambda official, warrant_id: official.refuse(warrant_id),
    ),
    "suspend": (
        "Stop a warrant until both locks resume it, as one who may issue or approve.",
        lambda official, warrant_id: official.suspend(warrant_id),
    ),
    "resume": (
        "Sign for a suspended warrant to go on; both locks must.",
        lambda official, warrant_id: official.resume(warrant_id),
    ),
    "attain": (
        "End a warrant whose aim is attained, as one who may issue or approve.",
        lambda official, warrant_id: official.attain(warrant_id),
    ),
    "cancel": (
        "Stop a warrant for good, as one who may issue or approve.",
        lambda official, warrant_id: official.cancel(warrant_id),
    ),
}
"""Orders that say nothing but themselves."""


def add_orders(group: click.Group) -> None:
    """Put the commands of this module under ``warrant``."""
    for name, (what, act) in _PLAIN.items():
        group.add_command(_plain(name, what, act))
    group.add_command(extend)
    group.add_command(delay_notice)


def _plain(name: str, what: str, act: "Callable[[Official, bytes], Awaitable[Case]]") -> click.Command:
    @click.command(name, help=what)
    @warrant_argument
    @person_option
    @home_option
    @json_option
    def command(warrant_id: bytes, person: str, home: Path, *, as_json: bool) -> None:
        at_the_desk(person, home, lambda official: act(official, warrant_id), as_json=as_json)

    return command


@click.command()
@warrant_argument
@person_option
@until_option
@home_option
@json_option
def extend(warrant_id: bytes, person: str, until: int, home: Path, *, as_json: bool) -> None:
    """Sign for a warrant to stay secret longer; both locks must, and the policy bounds it."""
    at_the_desk(person, home, lambda official: official.extend(warrant_id, until), as_json=as_json)


@click.command("delay-notice")
@warrant_argument
@person_option
@until_option
@home_option
@json_option
def delay_notice(warrant_id: bytes, person: str, until: int, home: Path, *, as_json: bool) -> None:
    """Sign for the target to be told later; both locks must, and the policy bounds it."""
    at_the_desk(person, home, lambda official: official.delay_notice(warrant_id, until), as_json=as_json)
