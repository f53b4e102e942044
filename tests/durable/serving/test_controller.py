"""`watari serve` in real processes: it makes the cloud as wanted, whatever kills it, and there is one of it."""

import random
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from durable.postgres import Postgres
from durable.serving.controller_process import TTL_S
from durable.serving.metered_cloud import NAME
from durable.serving.site import Build, Site
from watari.act.durable.leading import last_seen
from watari.act.durable.proposals import decide, list_proposals
from watari.act.durable.records import list_runs
from watari.act.durable.stops import lift_stop, set_stop


def test_it_makes_a_crowded_cloud_calm_and_moves_nobody_twice(on_sqlite: Build) -> None:
    site = on_sqlite()
    controller = site.serve()
    site.until(site.is_calm)
    asked = site.asked()
    assert len(asked) == len(set(asked)) == 9, "one to each of s and t too many, and no more"
    site.until(lambda: all(row.ended_at for row in list_runs(site.store)))
    assert controller.end() == 0, controller.out()
    assert "looking after it, every 0.3 s" in controller.out()


def test_random_kills_lose_nothing_and_ask_for_nothing_twice(on_sqlite: Build) -> None:
    site, chance = on_sqlite(), random.Random(5)
    for _ in range(5):
        controller = site.looking()
        time.sleep(chance.uniform(0.0, 0.6))
        controller.kill()
    controller = site.looking()
    site.until(site.is_calm)
    site.until(lambda: all(row.ended_at for row in list_runs(site.store)))
    asked = site.asked()
    assert len(asked) == len(set(asked)) == 9
    assert controller.end() == 0, controller.out()


def test_nothing_moves_before_the_approval_also_over_a_restart(on_sqlite: Build) -> None:
    site = on_sqlite()
    site.write("approve")
    controller = site.serve()
    site.until(lambda: any(p.state == "waiting" for p in list_proposals(site.store)))
    time.sleep(1.0)
    controller.kill()
    site.serve()
    time.sleep(1.0)
    assert site.asked() == []
    (waiting,) = list_proposals(site.store, states=("waiting",))
    decide(site.store, waiting.id, approve=True, by="mai", why="", now=datetime.now(UTC))
    site.until(site.is_calm)
    assert len(site.asked()) == 9


def test_a_changed_policy_counts_at_once_however_long_a_look_is_away(on_sqlite: Build) -> None:
    site = on_sqlite()
    site.write("observe", every="1 h")
    controller = site.looking()
    site.until(lambda: "observe: 17 of 17 starved; only observed" in controller.out())
    site.write("automatic", every="1 h")
    site.until(lambda: len(site.asked()) >= 1)


def test_a_second_one_on_a_sqlite_file_stands_by_and_takes_over(on_sqlite: Build) -> None:
    site = on_sqlite()
    first = site.looking()
    second = site.serve()
    site.until(lambda: "standing by: another watari" in second.out())
    first.kill()
    site.until(lambda: "looking after it" in second.out())
    site.until(site.is_calm)
    assert len(site.asked()) == 9
    assert second.end(signal.SIGTERM) == 0


def test_one_that_stands_by_ends_when_it_is_told_to(on_sqlite: Build) -> None:
    site = on_sqlite()
    site.write("observe")
    first = site.looking()
    second = site.serve()
    site.until(lambda: "standing by" in second.out())
    assert second.end() == 0
    assert first.process.is_alive()


def test_the_stop_switch_holds_at_once_and_what_moves_arrives(on_sqlite: Build) -> None:
    site = on_sqlite()
    site.serve()
    site.until(lambda: len(site.asked()) >= 2)
    set_stop(site.store, NAME, "mai", "the storage flaps", datetime.now(UTC))
    intended = site.intended()
    time.sleep(2.0)
    assert site.intended() == intended, "nothing more was even meant to begin"
    assert site.cloud.flights() == (), "what moved has arrived"
    assert len(site.asked()) == intended
    lift_stop(site.store, NAME)
    site.until(site.is_calm)
    assert len(site.asked()) == len(set(site.asked())) == 9


def test_of_two_on_postgresql_one_looks_and_the_other_takes_over_when_it_dies(on_postgres: Build) -> None:
    site = on_postgres()
    first = site.looking()
    second = site.serve()
    site.until(lambda: "standing by:" in second.out())
    assert "looking after it" not in second.out()
    first.kill()
    died = time.monotonic()
    site.until(lambda: "looking after it" in second.out())
    print(f"taken over {time.monotonic() - died:.1f} s after the kill; the lease is {TTL_S} s")
    site.until(site.is_calm)
    assert len(site.asked()) == len(set(site.asked())) == 9
    (seen,) = last_seen(site.store)
    assert (seen.alive, f"pid {second.process.pid}" in seen.about) == (True, True)


def test_a_database_that_is_away_for_a_moment_stops_nothing_for_ever(tmp_path: Path) -> None:
    own = Postgres()
    try:
        site = Site(tmp_path, own.new_database())
        try:
            site.write("observe")
            controller = site.looking()
            own.stop()
            own.start()
            site.write("automatic")
            site.until(site.is_calm)
            assert controller.process.is_alive(), controller.out()
        finally:
            site.close()
    finally:
        own.close()


def test_told_to_end_it_finishes_what_moves_begins_nothing_and_leaves_its_place(on_postgres: Build) -> None:
    site = on_postgres()
    first = site.looking()
    site.until(lambda: len(site.asked()) >= 2)
    second = site.serve()
    site.until(lambda: "standing by" in second.out())
    set_stop(site.store, NAME, "mai", "so that the other begins nothing either", datetime.now(UTC))
    assert first.end() == 0, first.out()
    assert site.cloud.flights() == ()
    site.until(lambda: "looking after it" in second.out())
    lift_stop(site.store, NAME)
    site.until(site.is_calm)
    assert len(site.asked()) == len(set(site.asked())) == 9
