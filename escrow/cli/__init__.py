"""The one command ``doublelock``: it finds its verbs through entry points and turns errors into sentences.

Nothing heavy is imported before a verb runs, and a verb whose package is broken takes no other with it.
"""

import os
import sys
import traceback
import unicodedata
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

import click

from escrow import __version__
from escrow.errors import EscrowError, Kind, Reason

BANNER = "Doublelock is research software. Never use it for real communications: see threat_model.md."
COMMANDS = "doublelock.commands"
DEBUG = "DOUBLELOCK_DEBUG"


class Verbs(click.Group):
    """A group whose commands are the entry points of installed packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, without loading anything."""
        return sorted(_verbs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load the one that is asked for."""
        verb = _verbs().get(cmd_name)
        return None if verb is None else _load(verb)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Like click's, but a command that cannot be loaded says so in its own line."""
        rows = [(name, _summary(verb)) for name, verb in sorted(_verbs().items())]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=BANNER)
@click.version_option(__version__, message=f"%(prog)s %(version)s\n{BANNER}")
def doublelock() -> None:
    """End-to-end encryption with escrow behind two locks: a laboratory."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit: 0, or the code of the error's kind."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code. Errors become a sentence and a hint on stderr."""
    try:
        result = doublelock.main(arguments, prog_name="doublelock", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return Kind.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("doublelock: interrupted", err=True)
        return 130
    except EscrowError as error:
        _say(error.reason, error.detail)
        return error.reason.kind
    except Exception as error:  # noqa: BLE001 - the last line of defence: a sentence, not a traceback
        _say(Reason.INTERNAL, type(error).__name__)
        return Kind.UNEXPECTED
    return result if isinstance(result, int) else 0


def _say(reason: Reason, detail: str) -> None:
    if os.environ.get(DEBUG) == "1":
        traceback.print_exc()
    sentence = f"{reason.sentence.rstrip('.')}: {printable(detail)}" if detail else reason.sentence
    click.echo(f"doublelock: {sentence}", err=True)
    click.echo(f"  hint: {reason.hint}", err=True)
    click.echo(f"  reason: {reason.name}", err=True)


def printable(text: str) -> str:
    """``text`` with control and formatting characters made visible as U+FFFD, and all lines but the first indented."""
    lines = text.split("\n")
    return "\n    ".join("".join("\ufffd" if _steers(one) else one for one in line) for line in lines)


def _verbs() -> dict[str, EntryPoint]:
    return {verb.name: verb for verb in entry_points(group=COMMANDS)}


def _load(verb: EntryPoint) -> click.Command:
    command: click.Command = verb.load()
    return command


def _summary(verb: EntryPoint) -> str:
    try:
        return _load(verb).get_short_help_str(limit=80)
    except Exception as error:  # noqa: BLE001 - one broken package must not hide the others
        return f"(cannot be loaded: {type(error).__name__})"


def _steers(character: str) -> bool:
    # Cc: escape sequences. Cf: reordering of what is read. Cs: halves of characters, which no terminal can print.
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character not in "\t\u200d"
