"""Which error ends with which code."""

import io

import pytest

from watari.cli.exits import exit_code, report, say
from watari.errors import BadInput, Busy, Permanent, Refused, Stale, Transient


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x"), 2),
        (Stale("x"), 12),
        (Busy("x"), 11),
        (Permanent("x"), 1),
        (Refused("x"), 1),
        (Transient("x"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def test_words_are_printable_and_a_broken_pipe_has_none() -> None:
    err = io.StringIO()
    assert report(BadInput("a\x1b[31m\nb"), err, debug=False) == 2
    assert err.getvalue() == "watari: a\\x1b[31m\nb\n"
    err = io.StringIO()
    assert report(BrokenPipeError(), err, debug=True) == 141
    assert err.getvalue() == ""


def test_nobody_to_tell_is_no_error() -> None:
    closed = io.StringIO()
    closed.close()
    say("x", closed)
