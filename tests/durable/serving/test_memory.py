"""What a controller has learned: over restarts, gaps and clocks that were set."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from durable.serving.conftest import Sit
from watari.app.serving.keeping import from_bytes, to_bytes
from watari.policy.load import load_policy


def test_what_was_learned_survives_the_process_but_no_threshold_has_held_on(sit: Sit) -> None:
    desk = sit("observe", "name: x\n")
    desk.policy.write_text("detect: {hold_rounds: 3}\nserve: {every: 20 s, balance: observe}\n")
    desk.look()
    desk.look()
    before = desk.reconciler.memory
    assert before is not None
    assert before.shape is not None
    desk.reconciler.keep_memory()
    after = desk.again().memory
    assert after is not None
    assert after.shape is not None
    assert (after.ids, after.at, after.rounds.tolist()) == (before.ids, before.at, before.rounds.tolist())
    assert np.array_equal(after.shape.cores, before.shape.cores, equal_nan=True)
    policy = load_policy(str(desk.policy))
    soon, late = before.at + timedelta(seconds=30), before.at + timedelta(seconds=120)
    rested = desk.reconciler._rested(soon, policy)
    assert rested is not None
    assert rested.rounds.tolist() == before.rounds.tolist()
    for at in (late, before.at - timedelta(days=1)):  # nobody looked, or the clock was set back
        rested = desk.reconciler._rested(at, policy)
        assert rested is not None
        assert not (rested.rounds.any() or rested.seen.any() or rested.host_rounds)
        assert rested.shape is after.shape


def test_after_the_clock_was_set_back_it_looks_on(sit: Sit) -> None:
    desk = sit("suggest")
    desk.look()
    memory = desk.reconciler.memory
    assert memory is not None
    desk.reconciler.memory = replace(memory, at=memory.at + timedelta(days=1))
    desk.filed.set(wants={"s0": 0.1})
    look = desk.look()
    assert (look.starved, look.trouble) == (5, "")
    assert desk.reconciler.memory is not None
    assert desk.reconciler.memory.at < memory.at + timedelta(hours=1)


@pytest.mark.parametrize("kept", [b"", b"rubbish", b"PK\x03\x04rubbish"])
def test_a_memory_that_cannot_be_read_is_learned_anew(sit: Sit, kept: bytes, caplog: pytest.LogCaptureFixture) -> None:
    desk = sit("suggest")
    desk.reconciler.place.keep_memory(kept)
    assert desk.again().memory is None
    assert "is learned anew" in caplog.text
    desk.look()
    assert desk.states() == ["suggested"]


def test_a_memory_of_another_form_is_not_guessed_at(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("observe")
    desk.look()
    assert desk.reconciler.memory is not None
    kept = to_bytes(desk.reconciler.memory)
    monkeypatch.setattr("watari.app.serving.keeping.FORM", 2)
    with pytest.raises(ValueError, match="form 1, this version knows 2"):
        from_bytes(kept)


def test_looks_that_take_longer_than_their_time_are_a_finding_and_still_count(sit: Sit) -> None:
    desk = sit("observe")
    desk.policy.write_text("detect: {hold_rounds: 3}\nserve: {every: 0.001 s, balance: observe}\n")
    desk.look()
    look = desk.look()
    assert [f.code for f in look.findings] == ["slow-looks"]
    assert desk.reconciler.memory is not None
    assert desk.reconciler.memory.rounds.max() == 2
