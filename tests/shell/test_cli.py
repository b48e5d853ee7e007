"""The one command: sentences instead of tracebacks, and the exit code of the error's kind."""

import click
import pytest

from escrow import cli
from escrow.errors import Kind, MalformedError, Reason, RefusedError


def offering(monkeypatch: pytest.MonkeyPatch, **verbs: click.Command | Exception) -> None:
    """Let the installed packages offer these verbs and no others."""

    class Verb:
        def __init__(self, target: click.Command | Exception) -> None:
            self._target = target

        def load(self) -> click.Command:
            if isinstance(self._target, Exception):
                raise self._target
            return self._target

    monkeypatch.setattr(cli, "_verbs", lambda: {name: Verb(target) for name, target in verbs.items()})


def raising(error: BaseException) -> click.Command:
    @click.command(help="Fail.")
    def command() -> None:
        raise error

    return command


def test_every_kind_of_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for reason in Reason:
        offering(monkeypatch, fail=raising(RefusedError(reason, "the detail")))
        assert cli.run(["fail"]) == reason.kind
        said = capsys.readouterr()
        assert said.out == ""
        assert "the detail" in said.err
        assert f"hint: {reason.hint}" in said.err
        assert f"reason: {reason.name}" in said.err
    assert {reason.kind for reason in Reason} == set(Kind)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ZeroDivisionError("what it was given"), Kind.UNEXPECTED),
        (KeyboardInterrupt(), 130),
        (click.UsageError("no"), Kind.USAGE),
        (click.exceptions.Exit(5), 5),
    ],
)
def test_everything_else_ends_with_a_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    offering(monkeypatch, fail=raising(error))
    assert cli.run(["fail"]) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "what it was given" not in said


def test_a_traceback_is_there_for_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(cli.DEBUG, "1")
    offering(monkeypatch, fail=raising(MalformedError("bytes")))
    assert cli.run(["fail"]) == Kind.VERIFICATION
    assert "Traceback" in capsys.readouterr().err


def test_a_broken_verb_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offering(
        monkeypatch, broken=ImportError("absent"), whole=click.Command("whole", help="Works.", callback=lambda: None)
    )
    assert cli.run(["--help"]) == 0
    said = capsys.readouterr().out
    assert "(cannot be loaded: ImportError)" in said
    assert "Works." in said
    assert cli.run(["whole"]) == 0
    assert cli.run(["broken"]) == Kind.UNEXPECTED


def test_the_version_comes_with_the_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert cli.BANNER in capsys.readouterr().out


def test_a_verb_is_found_through_its_entry_point() -> None:
    assert cli._verbs()["serve"].value == "escrow_server.cli:serve"
    assert isinstance(cli._load(cli._verbs()["serve"]), click.Group)
