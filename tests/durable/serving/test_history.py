"""What a controller keeps of a cloud, on SQLite and PostgreSQL: restarts, kills, clocks, age, and two of them."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event

from durable.rig import FORKS, copied
from durable.serving.conftest import Sit
from durable.serving.history_book import CALM, CLOUD, DEFAULT, EIGHT_HOURS, HOSTS, Book, server
from durable.serving.recording import START, record
from watari.act.durable import histories, tables
from watari.act.durable.leading import forget
from watari.act.durable.lease import Lease, Lost
from watari.act.durable.store import Store
from watari.act.durable.tables import controllers, history_items
from watari.app.history.codes import decode, largest_error
from watari.app.history.recorder import read_items
from watari.app.history.slots import EPOCH_S, LOAD, MOST, SHARE, SLOT_S, STEAL, STEAL_PEAK, epoch_of
from watari.errors import Transient
from watari.model.compute import (
    GroupId,
    Load,
    Server,
    ServerGroup,
    ServerId,
)
from watari.policy.load import parse_policy


@contextmanager
def failing(store: Store, after: int, error: Callable[[], Exception]) -> Iterator[list[int]]:
    """Every commit from the one of that number on fails."""
    commits: list[int] = []

    def commit(_: sa.Connection) -> None:
        commits.append(len(commits))
        if len(commits) > after:
            raise error()

    event.listen(store.engine, "commit", commit)
    try:
        yield commits
    finally:
        event.remove(store.engine, "commit", commit)


def test_a_slot_has_the_means_and_peaks_of_its_looks_within_the_error(book: Book) -> None:
    for minute, steal in enumerate((0.0, 0.0, 0.04, 0.08, 0.03)):
        book.look(minute, {"a": (steal, 1.0 + steal, 2.0), "b": (0.0, 0.1, 0.2)})
    assert book.slots() == [], "it is not over"
    book.look(5, CALM)
    (slot,) = book.slots()
    assert (slot.begin, slot.looks, len(slot.servers)) == (START.timestamp(), 5, 2)
    for row, expected in {STEAL: 0.03, STEAL_PEAK: 0.08, LOAD: 1.03, SHARE: 0.5}.items():
        found = decode(slot.codes[row], MOST[row])[0]
        assert abs(found - expected) <= largest_error(expected, MOST[row]), row
    assert decode(slot.codes[SHARE], 1.0)[1] == pytest.approx(0.05, abs=largest_error(0.05, 1.0))


def test_missing_stays_missing_and_what_is_off_is_known_to_ask_for_nothing(book: Book) -> None:
    off = server("off", status="SHUTOFF")
    there = [server("a"), server("silent"), server("stale"), off]
    at = START - timedelta(hours=1)
    book.look(0, {"a": (0.1, 1.0, 1.0)}, there, stale=Load(0.5, 2.0, 1.0, at))
    book.look(5, CALM)
    (slot,) = book.slots()
    items = read_items(book.store, CLOUD, epoch_of(slot.begin)).items
    found = {items[k].name: decode(slot.codes[:, n], 1.0)[STEAL] for n, k in enumerate(slot.servers.tolist())}
    assert np.isnan(found["silent"])
    assert np.isnan(found["stale"])
    assert found["off"] == 0.0
    assert found["a"] == pytest.approx(0.1, abs=0.01)


def test_a_load_that_is_known_in_some_looks_is_the_mean_of_those(book: Book) -> None:
    book.look(0, {"a": (0.2, 1.0, 1.0)})
    book.look(1, {}, [server("a")])
    book.look(5, CALM)
    assert decode(book.slots()[0].codes[STEAL], 1.0)[0] == pytest.approx(0.2, abs=largest_error(0.2, 1.0))


def test_slots_of_a_window_that_is_over_become_one_row(book: Book) -> None:
    for minute in range(0, 120, 5):
        book.look(minute, {"a": (minute / 1000, 0.5, 2.0)})
    assert histories.window_begins(book.store, CLOUD) == []
    for minute in (120, 125, 130):
        book.look(minute, CALM)
    assert histories.window_begins(book.store, CLOUD) == [START.timestamp()]
    assert len(histories.slot_begins(book.store, CLOUD)) == 2
    assert book.minutes() == list(range(0, 130, 5))
    steals = [decode(slot.codes[STEAL], 1.0)[0] for slot in book.slots()[:24]]
    assert steals == pytest.approx([minute / 1000 for minute in range(0, 120, 5)], abs=0.002)


def test_who_moves_comes_and_goes_is_told_slot_by_slot(book: Book) -> None:
    book.look(0, CALM, [server("a"), server("b", "h1")])
    book.look(5, CALM, [server("a", "h2"), server("b", "h1", status="MIGRATING")])
    book.look(10, CALM, [server("a", "h2"), server("c", "h1", vcpus=2)])
    book.look(15, CALM)
    slots = book.slots()
    items = read_items(book.store, CLOUD, epoch_of(slots[0].begin)).items
    hosts = list(HOSTS)
    found = [
        {items[k].name: hosts[at] for k, at in zip(slot.servers.tolist(), slot.place.tolist(), strict=True)}
        for slot in slots
    ]
    assert found == [{"a": "h0", "b": "h1"}, {"a": "h2", "b": "h1"}, {"a": "h2", "c": "h1"}]
    assert sum(isinstance(item, Server) for item in items) == 3, "neither a move nor its status makes another item"


def test_what_has_not_changed_is_kept_once_and_only_what_policies_ask_for(book: Book) -> None:
    group = ServerGroup(GroupId("g"), "g", "anti-affinity", frozenset({ServerId("a")}))
    secret = {"role": "db", "watari:note": "x", "password": "hunter2"}
    for minute in (0, 5, 10):
        book.look(minute, CALM, [server("a", metadata=secret)], groups={group.id: group})
    book.again()
    for minute in (15, 20):
        book.look(minute, CALM, [server("a", metadata=secret)], groups={group.id: group})
    with book.store.reading() as c:
        rows = c.execute(sa.select(history_items.c.first)).scalars().all()
    items = read_items(book.store, CLOUD, epoch_of(int(START.timestamp()))).items
    assert rows == [0]
    kept = next(item for item in items if isinstance(item, Server))
    assert kept.metadata == {"role": "db", "watari:note": "x"}
    assert [item for item in items if isinstance(item, ServerGroup)] == [group]
    assert len(items) == len(HOSTS) + 2


def test_the_next_process_goes_on_with_a_slot_that_was_left(book: Book) -> None:
    book.look(0, {"a": (0.1, 1.0, 1.0)})
    book.look(1, {"a": (0.1, 1.0, 1.0)})
    book.recorder.keep(DEFAULT)
    book.again()
    book.look(2, {"a": (0.4, 1.0, 1.0)})
    book.look(3, {"a": (0.4, 1.0, 1.0)})
    book.look(5, CALM)
    (slot,) = book.slots()
    assert slot.looks == 4
    assert decode(slot.codes[STEAL], 1.0)[0] == pytest.approx(0.25, abs=0.005)
    assert decode(slot.codes[STEAL_PEAK], 1.0)[0] == pytest.approx(0.4, abs=0.005)


def test_a_process_that_is_killed_loses_the_present_slot_alone(book: Book) -> None:
    for minute in (0, 5, 6):
        book.look(minute, CALM)
    book.again()
    book.look(11, CALM)
    book.look(15, CALM)
    assert book.minutes() == [0, 10], "nobody can tell any more what was seen at 5"


@pytest.mark.parametrize("kill", range(8))
def test_killed_at_any_commit_the_next_process_goes_on(book: Book, kill: int) -> None:
    """Two slots are written, and then a window is packed: whatever was committed stays, once."""
    book.look(110, CALM)
    with failing(book.store, kill, lambda: RuntimeError("killed")) as commits:
        for minute in (115, 120, 125, 130):
            try:
                book.look(minute, {"a": (minute / 1000, 0.5, 1.0), "b": (0.0, 0.5, 1.0)})
            except RuntimeError:
                break
    book.again()
    for minute in (135, 140, 145):
        book.look(minute, CALM, [server("a"), server("c")])
    minutes = book.minutes()
    assert minutes == sorted(set(minutes))
    assert minutes[-2:] == [135, 140]
    assert [m for m in (110, 115, 120, 125) if m in minutes] == [110, 115, 120, 125][: len(minutes) - 2]
    assert len(commits) <= 6
    items = read_items(book.store, CLOUD, epoch_of(int(START.timestamp()))).items
    last = {items[k].name for k in book.slots()[-1].servers.tolist()}
    assert last == {"a", "c"}, "numbers of items are what they were"


def test_killed_at_any_moment_what_was_written_is_whole(template: Path, tmp_path: Path) -> None:
    url, chance, minute = copied(template, tmp_path), random.Random(5), 0
    store = Store(url)
    for _ in range(4):
        process = FORKS.Process(target=record, args=(url, CLOUD, minute))
        process.start()
        wanted = _slots(store) + chance.randint(3, 9)
        while _slots(store) < wanted and process.is_alive():
            time.sleep(0.005)
        assert process.is_alive()
        process.kill()
        process.join()
        minute = int(histories.all_kept(store)[0].last - START.timestamp()) // 60 + 10
    lease = Lease(store)
    lease.take()
    book = Book(store, lease)
    for more in (0, 5, 150, 155):
        book.look(minute + more, CALM)
    slots = book.slots()
    assert [slot.looks for slot in slots[:-3]] == [5] * (len(slots) - 3)
    assert book.minutes() == sorted(set(book.minutes()))
    items = read_items(store, CLOUD, epoch_of(slots[0].begin)).items
    for slot in slots[:-3]:
        last = int(slot.begin - START.timestamp()) // 60 + 4
        names = {items[k].name for k in slot.servers.tolist()}
        assert names == {f"s{k}" for k in range(last % 50 + 1)}
    assert len(histories.slot_begins(store, CLOUD)) == 1, "the rest is packed"
    lease.release()
    store.close()


def _slots(store: Store) -> int:
    return sum(kept.slots for kept in histories.all_kept(store))


def test_a_database_that_is_away_for_a_while_costs_no_slot(book: Book) -> None:
    book.look(0, CALM)
    away = sa.exc.OperationalError("", {}, Exception("away"))
    with failing(book.store, 0, lambda: away):
        for minute in (5, 6, 10):
            with pytest.raises(Transient):
                book.look(minute, CALM)
    book.look(12, CALM)
    book.look(15, CALM)
    assert book.minutes() == [0, 5, 10]
    assert [slot.looks for slot in book.slots()] == [1, 2, 2]


def test_a_clock_that_is_set_forward_leaves_a_gap_and_takes_little_away(book: Book) -> None:
    for minute in range(0, 600, 15):
        book.look(minute, CALM, policy=EIGHT_HOURS)
    before = book.minutes()
    year = 365 * 24 * 60
    book.look(year, CALM, policy=EIGHT_HOURS)
    book.look(year + 5, CALM, policy=EIGHT_HOURS)
    lost = set(before) - set(book.minutes())
    assert len(lost) <= 2 * histories.GOES_AT_ONCE * 24
    book.look(605, CALM, policy=EIGHT_HOURS)  # and set right again
    book.look(610, CALM, policy=EIGHT_HOURS)
    assert {585.0, 605.0, float(year)} <= set(book.minutes())


def test_a_clock_that_is_set_back_writes_over_nothing(book: Book) -> None:
    for minute in range(0, 250, 5):
        book.look(minute, {"a": (0.1, 1.0, 1.0)})
    book.look(5, {"a": (0.9, 1.0, 1.0)})  # in a window that is packed
    book.look(11, {"a": (0.9, 1.0, 1.0)})
    for minute in (250, 255, 260):
        book.look(minute, {"a": (0.1, 1.0, 1.0)})
    assert book.minutes() == list(range(0, 260, 5))
    assert max(decode(slot.codes[STEAL], 1.0)[0] for slot in book.slots()) < 0.11


def test_what_is_too_old_goes_a_few_windows_at_a_time(book: Book) -> None:
    for minute in range(0, 26 * 60, 20):
        book.look(minute, CALM)
    assert len(histories.window_begins(book.store, CLOUD)) == 12
    book.look(26 * 60, CALM, policy=EIGHT_HOURS)
    assert len(histories.window_begins(book.store, CLOUD)) == 13 - histories.GOES_AT_ONCE
    for minute in range(26 * 60 + 5, 27 * 60, 5):
        book.look(minute, CALM, policy=EIGHT_HOURS)
    assert book.minutes()[0] == 18 * 60, "a window goes once all of it is too old"


def test_the_inventory_of_an_epoch_goes_with_its_last_window(book: Book) -> None:
    end = EPOCH_S / 60 - (START.timestamp() % EPOCH_S) / 60
    for minute in np.arange(end - 240, end + 20 * 60, 20).tolist():
        book.look(minute, CALM, policy=EIGHT_HOURS)
    with book.store.reading() as c:
        epochs = c.execute(sa.select(history_items.c.epoch)).scalars().all()
    assert epochs == [epoch_of(int(START.timestamp() + end * 60))]
    assert book.minutes()[0] == end + 10 * 60


def test_only_who_holds_the_place_writes(book: Book) -> None:
    book.look(0, CALM)
    with book.store.writing() as c:
        c.execute(controllers.update().values(executor="another"))
    with pytest.raises(Lost):
        book.look(5, CALM)
    assert book.slots() == []
    book.again()
    for minute in (6, 10):
        book.look(minute, CALM)
    assert book.minutes() == [5]


def test_a_policy_that_says_none_keeps_nothing(book: Book) -> None:
    nothing = parse_policy("serve: {history: none}", "p.yaml")
    for minute in (0, 5, 10):
        book.look(minute, CALM, policy=nothing)
    book.recorder.keep(nothing)
    assert histories.all_kept(book.store) == []


def test_what_was_kept_is_told_and_forgotten_with_its_cloud(book: Book) -> None:
    for minute in range(0, 150, 5):
        book.look(minute, CALM)
    (kept,) = histories.all_kept(book.store)
    first = START.timestamp()
    assert (kept.cloud, kept.first, kept.last) == (CLOUD, first, first + 28 * SLOT_S)
    assert (kept.slots, kept.servers) == (29, 1)
    assert 100 < kept.size < 10_000
    book.recorder.place.release()
    forget(book.store, CLOUD)
    assert histories.all_kept(book.store) == []
    assert book.slots() == []


def test_an_inventory_that_cannot_be_read_stops_nothing_but_the_keeping(book: Book) -> None:
    with book.store.writing() as c:
        histories.put_items(c, CLOUD, epoch_of(int(START.timestamp())), 0, b"rubbish")
    for minute in (0, 5, 10):
        book.look(minute, CALM)
    assert book.slots() == []
    assert book.recorder.problem.startswith("its inventory cannot be read until 2026-01-08 00:00 UTC begins another")
    book.look(EPOCH_S / 60, CALM)
    book.look(EPOCH_S / 60 + 5, CALM)
    assert (book.recorder.problem, len(book.slots())) == ("", 1)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_database_of_before_gets_the_tables(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = str(tmp_path / "old.db") if kind == "sqlite" else request.getfixturevalue("server").new_database()
    store = Store(url)
    with store.writing() as c:
        config = Config()
        config.set_main_option("script_location", "watari.act.durable:migrations")
        config.attributes["connection"] = c
        command.downgrade(config, "0003")
        assert not sa.inspect(c).has_table("watari_history")
    store.close()
    store = Store(url)
    assert histories.all_kept(store) == []
    with store.reading() as c:
        for table in (tables.history, tables.history_slots, tables.history_items):
            made = {column["name"] for column in sa.inspect(c).get_columns(table.name)}
            assert made == set(table.columns.keys())
    store.close()


def test_a_controller_keeps_what_it_sees(sit: Sit) -> None:
    desk = sit("observe")
    desk.look()
    desk.look()
    desk.reconciler.keep_history()
    (kept,) = histories.all_kept(desk.store)
    assert (kept.cloud, kept.slots, kept.servers) == ("filed", 1, 8)
    desk.filed.set(meter="away")
    assert desk.look().trouble
    desk.reconciler.keep_history()
    again = histories.all_kept(desk.store)
    assert again == [kept], "what nobody saw is not kept"


def test_a_history_that_cannot_be_written_keeps_nobody_from_deciding_and_is_a_finding(sit: Sit) -> None:
    desk = sit("suggest")
    desk.look()
    with desk.store.writing() as c:
        c.exec_driver_sql("alter table watari_history_slots rename to elsewhere")
    assert desk.reconciler.history._open is not None
    desk.reconciler.history._open.begin -= SLOT_S
    desk.look()
    look = desk.look()
    assert (look.starved, look.trouble, desk.states()) == (6, "", ["suggested"])
    (finding,) = [f for f in look.findings if f.code == "history-not-kept"]
    assert "no such table: watari_history_slots" in finding.text
    with desk.store.writing() as c:
        c.exec_driver_sql("alter table elsewhere rename to watari_history_slots")
    desk.look()
    assert not [f for f in desk.look().findings if f.code == "history-not-kept"]
    assert histories.all_kept(desk.store)[0].slots == 1, "what waited is there"
