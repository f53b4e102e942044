"""That what was told arrives, whatever the receiver does; the file of targets; and that no secret is anywhere."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from prometheus_client import generate_latest

from durable.serving.conftest import Sit
from durable.serving.metered_cloud import NAME
from durable.serving.telling import QUICK, Tell, codes, ops, teller, until, write
from unit.notify.receiver import SECRET_PATH, Answer, Receiver, receiving
from watari.act.durable.notices import ages, oldest
from watari.act.durable.stops import set_stop
from watari.act.durable.store import REVISION, Store
from watari.act.durable.tables import messages
from watari.app.serving.metrics import registry
from watari.app.serving.notify_file import NotifyFile
from watari.errors import BadInput


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def tell(sit: Sit, tmp_path: Path) -> Iterator[Tell]:
    with teller(sit, tmp_path) as made:
        yield made


def test_what_was_written_down_before_a_crash_is_sent_by_the_next_process(tell: Tell, receiver: Receiver) -> None:
    telling = tell("observe", ops(receiver))
    telling.desk.filed.set(meter="away")
    telling.look()  # and nothing delivers: the process is gone
    ((_, body),) = telling.waiting()
    telling.begin()
    telling.deliver()
    assert receiver.until(1)[0].body == body
    until(lambda: telling.waiting() == [])


def test_what_fails_is_sent_again_with_the_same_id_and_a_finding_tells_that_the_target_is_down(
    tell: Tell, receiver: Receiver, tmp_path: Path
) -> None:
    with receiving() as other:
        telling = tell("observe", ops(receiver), ops(other, name="other"))
        receiver.answers = [Answer(500), Answer(503), Answer(hangs=True), *[Answer(500)] * 100_000]
        telling.desk.filed.set(meter="away")
        telling.deliver()
        telling.look()
        until(lambda: telling.couriers.findings(NAME))
        (finding,) = telling.couriers.findings(NAME)
        assert (finding.subject, finding.code, finding.severity) == ("ops", "notify", "warning")
        assert "is told nothing since " in finding.text
        until(lambda: [name for name, _ in telling.waiting()] == ["ops"])
        telling.look()
        assert [codes(request.body) for request in other.until(2)] == [["undecided"], ["notify"]]
        receiver.answers = []
        until(lambda: telling.waiting() == [] and telling.couriers.findings(NAME) == ())
        assert len({request.body["id"] for request in receiver.got}) == 1
        telling.look()
        assert [name for name, _ in telling.waiting()] == [], "no target is told that it is down itself"


def test_retry_after_is_honoured(tell: Tell, receiver: Receiver) -> None:
    telling = tell("observe", ops(receiver))
    receiver.answers = [Answer(429, headers={"Retry-After": "1"})]
    telling.desk.filed.set(meter="away")
    telling.look()
    telling.deliver()
    receiver.until(1)
    begun = time.monotonic()
    receiver.until(2)
    assert time.monotonic() - begun >= 0.9, "its own pace would be 20 ms"
    until(lambda: telling.waiting() == [])


def test_a_slow_target_keeps_no_other_and_no_look_waiting(tell: Tell, receiver: Receiver) -> None:
    with receiving() as slow:
        slow.answers = [Answer(hangs=True)] * 1000
        telling = tell("observe", ops(slow, name="slow"), ops(receiver), pace=replace(QUICK, answer_s=60.0))
        telling.deliver()
        telling.desk.filed.set(meter="away")
        telling.look()
        slow.until(1)
        receiver.until(1)
        set_stop(telling.desk.store, NAME, "mai", "flaps", datetime.now(UTC))
        until(lambda: [name for name, _ in telling.waiting()] == ["slow"])
        telling.look()
        assert codes(receiver.until(2)[1].body) == ["stopped"]
        slow.closing.set()


def test_a_message_that_is_refused_is_given_up_and_the_next_look_makes_another(
    tell: Tell, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    telling = tell("observe", ops(receiver))
    receiver.answers = [Answer(400, "invalid_blocks")]
    telling.deliver()
    telling.desk.filed.set(meter="away")
    telling.look()
    receiver.until(1)
    until(lambda: telling.couriers.findings(NAME) and telling.waiting() == [])
    (finding,) = telling.couriers.findings(NAME)
    assert finding.text.endswith("does not take the message: 400 Bad Request invalid_blocks; 1 message given up")
    assert "is given up" in caplog.text
    telling.look()
    first, second = (request.body for request in receiver.until(2))
    assert (codes(second), first["id"] == second["id"]) == (["undecided"], False)
    until(lambda: telling.couriers.findings(NAME) == ())


def test_a_message_is_given_up_after_a_day_and_what_is_wrong_then_is_told(
    tell: Tell, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    telling = tell("observe", ops(receiver))
    telling.desk.filed.set(meter="away")
    telling.look()
    with telling.desk.store.writing() as c:
        c.execute(messages.update().values(made=messages.c.made - 86401.0))
    telling.deliver()
    until(lambda: telling.waiting() == [])
    assert receiver.got == []
    assert "is given up" in caplog.text
    telling.look()
    (request,) = receiver.until(1)
    assert (request.body["first"], codes(request.body)) == (True, ["undecided"])


def test_a_target_that_moved_is_tried_at_once(tell: Tell, receiver: Receiver, tmp_path: Path) -> None:
    with receiving() as old:
        old.answers = [Answer(503)] * 1000
        telling = tell("observe", ops(old), pace=replace(QUICK, first_s=3600.0, most_s=3600.0))
        telling.deliver()
        telling.desk.filed.set(meter="away")
        telling.look()
        old.until(1)
        write(tmp_path, ops(receiver))
        telling.file.look()
        telling.couriers.look()
        receiver.until(1)


def test_messages_of_clouds_that_another_leads_are_left_to_it(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    store, mine = telling.desk.store, telling.desk.lease.executor
    assert oldest(store, "ops", "another") is None
    assert oldest(store, "other", mine) is None
    found = oldest(store, "ops", mine)
    assert found is not None and codes(found.body) == ["undecided"]
    telling.desk.reconciler.place.release()
    assert oldest(store, "ops", mine) is None


def test_a_file_that_breaks_stays_as_it_was_and_is_a_finding(tell: Tell, caplog: pytest.LogCaptureFixture) -> None:
    telling = tell("observe", ops())
    telling.path.write_text("targets: [{name: ops, kind: pigeon}]")
    with caplog.at_level(logging.WARNING):
        telling.look()
    (body,) = telling.take()
    assert codes(body) == ["notify-broken"]
    assert '"pigeon" is not known' in body["began"][0]["text"]
    assert "the list of targets as it was stays in force" in caplog.text
    telling.path.unlink()
    telling.look()
    assert "no such file" in telling.file.problem


def test_a_secret_that_is_gone_is_a_finding_for_the_others(tell: Tell, tmp_path: Path) -> None:
    telling = tell("observe", ops(), "name: second, kind: slack, url_file: second.url")
    telling.look()
    ((name, body),) = telling.waiting()
    assert (name, codes(body), body["began"][0]["subject"]) == ("ops", ["notify-broken"], "second")
    (tmp_path / "second.url").write_text("http://127.0.0.1:9/")
    assert telling.file.findings(NAME) == ()


def test_a_file_that_is_wrong_from_the_beginning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; describe in it who is told"):
        NotifyFile(str(tmp_path / "none.yaml"))
    assert NotifyFile(None).targets == ()


def test_no_secret_is_in_the_database_or_the_log(
    tell: Tell, receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    telling = tell("observe", ops(receiver))
    receiver.answers = [Answer(500, f"no route to {SECRET_PATH}")] * 5
    telling.deliver()
    telling.desk.filed.set(meter="away")
    telling.look()
    receiver.until(6)
    until(lambda: telling.waiting() == [])
    telling.look()
    secret = SECRET_PATH.rpartition("/")[2]
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("runs.db*"))
    assert b"no decision" in kept
    assert secret.encode() not in kept
    assert secret not in caplog.text
    assert secret not in repr(telling.file)


def test_how_long_a_message_has_waited_is_a_metric(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    ((cloud, target, age_s),) = ages(telling.desk.store)
    assert (cloud, target, 0 <= age_s < 600) == (NAME, "ops", True)
    text = generate_latest(registry(telling.desk.store)).decode()
    assert f'watari_notice_age_seconds{{cloud="{NAME}",target="ops"}}' in text
    telling.take()
    assert ages(telling.desk.store) == []


def test_a_database_of_the_last_version_gets_the_tables(tmp_path: Path) -> None:
    url = str(tmp_path / "old.db")
    store = Store(url)
    with store.writing() as c:
        config = Config()
        config.set_main_option("script_location", "watari.act.durable:migrations")
        config.attributes["connection"] = c
        command.downgrade(config, "0003")
    with store.reading() as c:
        assert not sa.inspect(c).has_table("watari_messages")
    store.close()
    store = Store(url)
    with store.reading() as c:
        assert c.scalar(sa.text("select version_num from watari_version")) == REVISION
    assert ages(store) == []
    store.close()
