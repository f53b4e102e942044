"""One message over HTTP: what is sent, how it is signed, and failures in words without a secret."""

import hashlib
import hmac
import logging
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests

from unit.notify.receiver import SECRET_PATH, Answer, Receiver
from watari.app.notify.message import trial
from watari.app.notify.sending import Later, send, signature
from watari.app.notify.targets import Target
from watari.errors import BadInput, Refused, WatariError

MESSAGE = trial("0123abcd", "ops", datetime(2026, 11, 30, 12, 0, tzinfo=UTC))


def sent(target: Target, answer_s: float = 10.0) -> str:
    with requests.Session() as session:
        return send(target, MESSAGE, session, answer_s)


def failure(target: Target, answer_s: float = 10.0) -> WatariError:
    with pytest.raises(WatariError) as error:
        sent(target, answer_s)
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None, "a traceback would show the address"
    return error.value


def test_a_webhook_gets_the_message_with_its_id(receiver: Receiver) -> None:
    assert sent(Target("ops", "webhook", url=receiver.url)) == "200 OK ok"
    (got,) = receiver.got
    assert (got.path, got.body) == (SECRET_PATH, MESSAGE)
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    assert got.headers["Watari-Id"] == "0123abcd"
    assert "Watari-Signature" not in got.headers


def test_a_webhook_with_a_key_is_signed_over_time_and_body(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y\n")
    sent(Target("ops", "webhook", url=receiver.url, secret_file=str(tmp_path / "key")))
    (got,) = receiver.got
    stamp = got.headers["Watari-Timestamp"]
    wanted = hmac.new(b"k3y", stamp.encode() + b"." + got.raw, hashlib.sha256).hexdigest()
    assert got.headers["Watari-Signature"] == f"v1={wanted}" == signature(b"k3y", stamp, got.raw)
    assert abs(datetime.now(UTC).timestamp() - int(stamp)) < 3600


def test_slack_gets_a_text_and_blocks(receiver: Receiver) -> None:
    sent(Target("ops", "slack", url=receiver.url))
    (got,) = receiver.got
    assert set(got.body) == {"text", "blocks"}
    assert "Watari-Id" not in got.headers


@pytest.mark.parametrize("status", [500, 503, 403, 404, 410, 408])
def test_what_may_be_mended_is_tried_later(receiver: Receiver, status: int) -> None:
    receiver.answers = [Answer(status, "no_service")]
    error = failure(Target("ops", "webhook", url=receiver.url))
    assert isinstance(error, Later)
    assert str(error).startswith(f"answers {status} ")
    assert str(error).endswith("no_service")
    assert error.after_s == 0


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_message_that_cannot_be_read_is_refused(receiver: Receiver, status: int) -> None:
    receiver.answers = [Answer(status, "invalid_blocks")]
    error = failure(Target("ops", "slack", url=receiver.url))
    assert isinstance(error, Refused)
    assert "invalid_blocks" in str(error)


def test_retry_after_is_read_as_seconds_and_as_a_date(receiver: Receiver) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.answers = [Answer(429, headers={"Retry-After": text}) for text in ("120", soon, "soon", "-5")]
    after = [failure(Target("ops", "slack", url=receiver.url)) for _ in range(4)]
    assert [isinstance(e, Later) for e in after] == [True] * 4
    seconds = [e.after_s for e in after if isinstance(e, Later)]
    assert (seconds[0], seconds[2], seconds[3]) == (120.0, 0.0, 0.0)
    assert 3000 < seconds[1] <= 3600


def test_a_redirect_is_not_followed_and_not_shown(receiver: Receiver) -> None:
    receiver.answers = [Answer(302, "", {"Location": "https://elsewhere.example/s3cret"})]
    error = failure(Target("ops", "webhook", url=receiver.url))
    assert "it redirects, and that is not followed" in str(error)
    assert len(receiver.got) == 1


def test_an_answer_that_repeats_our_secrets_is_told_without_them(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y-s3cret")
    alone = SECRET_PATH.rpartition("/")[2]
    receiver.answers = [Answer(500, f"cannot POST {receiver.url} ({SECRET_PATH}, {alone}) with k3y-s3cret\n\x1b[2J")]
    error = failure(Target("ops", "webhook", url=receiver.url, secret_file=str(tmp_path / "key")))
    assert "cannot POST … (…, …) with …" in str(error)
    assert str(error).isprintable()


def test_a_body_that_never_ends_counts_as_its_status(receiver: Receiver) -> None:
    receiver.answers = [Answer(200, "ok", short=True)]
    assert sent(Target("ops", "webhook", url=receiver.url), answer_s=0.2) == "200 OK"


def test_a_receiver_that_does_not_answer(receiver: Receiver) -> None:
    receiver.answers = [Answer(hangs=True)]
    assert str(failure(Target("ops", "webhook", url=receiver.url), answer_s=0.2)) == "gives no answer within 0.2 s"


def test_nobody_listens_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}{SECRET_PATH}"
        assert str(failure(Target("ops", "webhook", url=url))) == "cannot be reached (Connection refused)"


def test_what_speaks_no_tls_there(receiver: Receiver) -> None:
    error = failure(Target("ops", "webhook", url=receiver.url.replace("http:", "https:")))
    assert "its certificate is not trusted" in str(error)


def test_a_proxy_of_the_environment_that_is_away(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:s3cret@127.0.0.1:9/")
    monkeypatch.setenv("no_proxy", "")
    assert "the proxy of the environment" in str(failure(Target("ops", "webhook", url=receiver.url)))


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    error = failure(Target("ops", "webhook", url_file=str(tmp_path / "none")))
    assert isinstance(error, BadInput)


@pytest.mark.parametrize("status", [200, 500])
def test_no_log_shows_the_address_not_even_all_that_libraries_say(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    receiver.answers = [Answer(status)]
    try:
        sent(Target("ops", "webhook", url=receiver.url))
    except Later as e:
        assert status == 500, e
    assert "s3cret" not in caplog.text
    requests.post(receiver.url, timeout=10)
    assert "s3cret" in caplog.text, "what others ask for is logged as ever"
