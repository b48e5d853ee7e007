"""``doublelock custody``: the ceremonies of those who run custodians, and of the roots that name them.

Each ceremony has the same five verbs. Where a step is not taken by people its verb says so (``NOT_BY_HAND``): machines
make keys and erase shares by themselves, and nothing that a person says moves the end of a period.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from escrow_client.options import Command, home_option, json_option, lab_option, moment_of, run
from escrow_client.output import Output, moment

if TYPE_CHECKING:
    from escrow.crypto.sign import SigningKey
    from escrow.roles.onlooker.standing import Standing
    from escrow.warrant.handover_order import Member
    from escrow_client.ceremonies import Ceremonies
    from escrow_client.deployment import Deployment

period_option = click.option(
    "--period", type=click.IntRange(min=0), help="Number of the period.  [default: the present one; rotate: the next]"
)
nonce_option = click.option("--nonce", default="", help="Of the attempt that you mean; 'start' and 'status' show it.")
needed_nonce_option = click.option("--nonce", required=True, help="Of the attempt that you mean; 'status' shows it.")
root_option = click.option("--root", help="Who signs: a root, such as root-1, whose key lies in the deployment.")
signing_key_option = click.option(
    "--signing-key",
    type=click.File("rb"),
    help="Seed of the signing key (64 hexadecimal digits) from a file; - is standard input, or asks on a terminal.",
)
custodian_option = click.option("--custodian", type=click.IntRange(min=1), help="Whose operator you are: its index.")

MACHINES = "the custodians' machines do this by themselves"
END = "nothing but time ends a period, and nothing moves its end"


@click.group()
def custody() -> None:
    """Make, hand over, rotate and erase the custodians' keys. Research only."""


def _common(command: Command) -> Command:
    for option in (json_option, lab_option, period_option, home_option):
        command = option(command)
    return command


def _present(ceremony: str, period: int | None, deployment: "Deployment") -> int:
    policy = deployment.genesis.policy
    if period is not None:
        return period
    return policy.period_of(policy.epoch_of(deployment.clock())) + (ceremony == "rotate")


Act = Callable[["Ceremonies", "Deployment", int], Awaitable["Standing"]]


def _do(
    ceremony: str, act: Act, home: Path, period: int | None, *, lab: bool, as_json: bool, done: bool = False
) -> None:
    """Follow the log, act, show how the ceremony stands then; with ``done``, fail unless it is done."""
    from escrow_client.ceremonies import Ceremonies
    from escrow_client.deployment import Deployment

    deployment = Deployment.open(home, lab=lab)

    async def command() -> "Standing":
        async with Ceremonies.open(deployment) as ceremonies:
            return await act(ceremonies, deployment, _present(ceremony, period, deployment))

    standing = run(command)
    show(Output(as_json=as_json), standing)
    if done:
        standing.require_done()


def show(out: Output, standing: "Standing") -> None:
    """One standing, for people or for programs."""
    said = standing
    lines = [f"{said.ceremony} of period {said.period}: {said.state}" + (f", nonce {said.nonce}" if said.nonce else "")]
    if said.awaits:
        lines.append(f"  {said.awaits}: {said.done}/{said.needed}")
    if said.missing:
        lines.append(f"  missing: {', '.join(said.missing)}")
    if said.holders:
        lines.append(f"  holders: {', '.join(said.holders)}; any {said.threshold} open; generation {said.generation}")
    if said.effective_at:
        lines.append(f"  in effect: {moment(said.effective_at)}")
    if said.reason:
        lines.append(f"  last failed: {said.reason} ({', '.join(said.culprits)})")
    facts: dict[str, Any] = {name: getattr(said, name) for name in said.__struct_fields__}
    out.data("ceremony", "\n".join(lines), **facts)


# -- who signs ----------------------------------------------------------------------------------------


def _root_key(deployment: "Deployment", root: str | None, key: IO[bytes] | None) -> "SigningKey":
    """``ROLE_KEY_UNAUTHORISED`` for a key that is no root's."""
    from escrow.errors import Reason, RefusedError

    signing = _signing_key(key) if key is not None else None
    if signing is None and root is None:
        raise click.UsageError("say who signs: --root NAME, or --signing-key FILE")
    signing = signing or deployment.home.root(str(root))
    if signing.public not in deployment.genesis.root_keys:
        raise RefusedError(Reason.ROLE_KEY_UNAUTHORISED, "this is no root key of the deployment")
    return signing


def _custodian_key(deployment: "Deployment", index: int | None, key: IO[bytes] | None) -> "SigningKey":
    from escrow.ids import Party

    if key is not None:
        return _signing_key(key)
    if index is None:
        raise click.UsageError("say whose operator you are: --custodian INDEX, or --signing-key FILE")
    return deployment.home.identity(Party(f"custodian/{index}"))


def _signing_key(file: IO[bytes]) -> "SigningKey":
    from escrow.crypto.sign import SigningKey
    from escrow.errors import Reason, RefusedError
    from escrow.secret import Secret

    if file.isatty():
        text = str(click.prompt("Seed of the signing key", hide_input=True, err=True))
    else:
        text = file.read(200).decode("ascii", "replace")
    try:
        return SigningKey.from_seed(Secret(bytes.fromhex(text)))
    except ValueError:
        raise RefusedError(Reason.USAGE, "a seed has 64 hexadecimal digits") from None


def _member(deployment: "Deployment", text: str) -> "Member":
    """``custodian/6``, whose key the deployment knows, or ``custodian/6=KEY`` with its identity key."""
    from escrow.ids import Party
    from escrow.warrant import strict
    from escrow.warrant.handover_order import Member

    name, _, key = text.partition("=")
    public = deployment.genesis.custodian_keys.get(name)
    if not key:
        key = (public or deployment.home.identity(Party(name)).public).hex()
    return strict.convert({"id": name, "key": key}, Member)


# -- the ceremonies -----------------------------------------------------------------------------------


def _no_hands(group: click.Group, verb: str, why: str) -> None:
    """A verb whose step is not a person's."""

    @group.command(verb, help=f"Refused: {why}.")
    @_common
    @nonce_option
    def refused(**_options: object) -> None:
        from escrow.errors import Reason, RefusedError

        raise RefusedError(Reason.NOT_BY_HAND, why)


def _looks(group: click.Group, ceremony: str) -> None:
    def act(nonce: str) -> Act:
        return lambda ceremonies, _, period: ceremonies.standing(ceremony, period, nonce)

    @group.command("status", help="How it stands: who has done what, who is missing.")
    @_common
    @nonce_option
    def status(home: Path, period: int | None, nonce: str, *, lab: bool, as_json: bool) -> None:
        _do(ceremony, act(nonce), home, period, lab=lab, as_json=as_json)

    @group.command("verify", help="Check from the log alone that it has come to its end; exits 6 if it has not.")
    @_common
    @nonce_option
    def verify(home: Path, period: int | None, nonce: str, *, lab: bool, as_json: bool) -> None:
        _do(ceremony, act(nonce), home, period, lab=lab, as_json=as_json, done=True)


def _keys(ceremony: str, summary: str) -> click.Group:
    @custody.group(ceremony, help=summary)
    def group() -> None:
        pass

    @group.command("start", help="Ask the custodians to make the key now, as one of their operators.")
    @_common
    @custodian_option
    @signing_key_option
    def start(
        home: Path,
        period: int | None,
        custodian: int | None,
        signing_key: IO[bytes] | None,
        *,
        lab: bool,
        as_json: bool,
    ) -> None:
        def act(ceremonies: "Ceremonies", deployment: "Deployment", of: int) -> "Awaitable[Standing]":
            return ceremonies.propose_key(ceremony, of, _custodian_key(deployment, custodian, signing_key))

        _do(ceremony, act, home, period, lab=lab, as_json=as_json)

    _looks(group, ceremony)
    for verb in ("submit", "cancel"):
        _no_hands(group, verb, MACHINES)
    return group


_keys("dkg", "The key of a period: the custodians generate it among themselves.")
_keys("rotate", "The key of the next period, before it begins.")


@custody.group()
def handover() -> None:
    """The shares of a period pass to others by an order of the roots, or are replaced."""


@handover.command("start")
@_common
@click.option("--member", "members", multiple=True, metavar="ID[=KEY]", help="A new holder, in order; repeatable.")
@click.option("--threshold", type=click.IntRange(min=1), help="How many of the new holders open.")
@click.option("--effective", type=moment_of, metavar="TIME", help="When it takes effect.  [default: after the delay]")
@root_option
@custodian_option
@signing_key_option
def start_handover(
    home: Path,
    period: int | None,
    members: tuple[str, ...],
    threshold: int | None,
    effective: int | None,
    root: str | None,
    custodian: int | None,
    signing_key: IO[bytes] | None,
    *,
    lab: bool,
    as_json: bool,
) -> None:
    """Begin a handover.

    With --member and --threshold, to those holders: as the first root that signs the order. Without, a refresh: the
    same holders get new shares of the same key, as one of them asks for.
    """
    if bool(members) != (threshold is not None):
        raise click.UsageError("--member and --threshold go together")

    def act(ceremonies: "Ceremonies", deployment: "Deployment", of: int) -> "Awaitable[Standing]":
        from escrow_client.ceremonies import Wish

        if threshold is None:
            return ceremonies.refresh(of, _custodian_key(deployment, custodian, signing_key))
        wish = Wish(tuple(_member(deployment, text) for text in members), threshold, effective)
        return ceremonies.order(of, wish, _root_key(deployment, root, signing_key))

    _do("handover", act, home, period, lab=lab, as_json=as_json)


def _signs(verb: str, help_text: str) -> None:
    """A verb of a root about the attempt under way; ``Ceremonies`` has a method of that name."""

    @handover.command(verb, help=help_text)
    @_common
    @needed_nonce_option
    @root_option
    @signing_key_option
    def command(
        home: Path,
        period: int | None,
        nonce: str,
        root: str | None,
        signing_key: IO[bytes] | None,
        *,
        lab: bool,
        as_json: bool,
    ) -> None:
        def act(ceremonies: "Ceremonies", deployment: "Deployment", of: int) -> "Awaitable[Standing]":
            method = ceremonies.submit if verb == "submit" else ceremonies.cancel
            return method(of, nonce, _root_key(deployment, root, signing_key))

        _do("handover", act, home, period, lab=lab, as_json=as_json)


_signs("submit", "Sign the order as another root. Signing twice is signing once; a stale nonce is refused.")
_signs("cancel", "Stop an order, as any one root, as long as its shares do not count.")
_looks(handover, "handover")


@custody.group()
def erase() -> None:
    """The end of a period: every custodian erases what could open it, and says so in the log."""


_looks(erase, "erase")
for _verb in ("start", "submit", "cancel"):
    _no_hands(erase, _verb, END)
