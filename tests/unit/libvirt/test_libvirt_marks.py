"""What is written into a domain's metadata comes back as it was; what is damaged is no move of ours, and harms none."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from times import NOON
from unit.libvirt.small_hosts import CONFIG, LIVE, SHUTOFF, Domain, Libvirt
from watari.drivers.libvirt.marks import KEPT, Mark, ended, over, parsed, read_marks, write_mark, written
from watari.model.compute import HostName

ID = "11111111-1111-4111-8111-111111111111"
MARK = Mark("m-1", HostName("h1"), HostName("h2"), NOON)
# What XML 1.0 can hold in an attribute, and comes back as it was: no line breaks, no control characters.
WORDS = st.text(
    st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufffe\uffff")
)
MARKS = st.builds(
    Mark,
    id=WORDS, source=WORDS.map(HostName), target=WORDS.map(HostName), asked=st.just(NOON),
    kind=st.just("live"), ended=st.sampled_from([None, NOON]),
    result=st.sampled_from(["", "done", "failed", "aborted"]), why=WORDS,
)  # fmt: skip


@given(st.lists(MARKS, max_size=4))
def test_what_is_written_is_read(marks: list[Mark]) -> None:
    named = [replace(m, id=m.id or "m", source=m.source or MARK.source, target=m.target or MARK.target) for m in marks]
    assert parsed(written(named)) == tuple(named)


@pytest.mark.parametrize("why", ["a < b & \"c\" 'd'", "<move id='x'/>", "ふるい", ""])
def test_words_of_libvirt_are_kept_as_they_are(why: str) -> None:
    [back] = parsed(written([ended(MARK, NOON, "failed", why)]))
    assert (back.why, back.result, back.ended) == (why, "failed", NOON)


def test_long_words_are_cut() -> None:
    assert len(ended(MARK, NOON, "failed", "x" * 1000).why) == 300


@pytest.mark.parametrize("prefix", ["", "watari:"])
def test_libvirt_s_own_prefix_does_no_harm(prefix: str) -> None:
    space = " xmlns:watari='https://watari.dev/xmlns/moves/1'" if prefix else ""
    row = f"<{prefix}move id='m-1' source='h1' target='h2' asked='{NOON.isoformat()}'/>"
    assert parsed(f"<{prefix}moves{space}>{row}</{prefix}moves>") == (MARK,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<moves><move id='m-1'",
        "<moves><move/></moves>",
        "<moves><move id='m-1' source='h1' target='h2'/></moves>",
        "<moves><move id='m-1' source='h1' target='h2' asked='yesterday'/></moves>",
        f"<moves><move id='m-1' source='h1' target='h2' asked='{NOON.isoformat()}' ended='soon'/></moves>",
    ],
)
def test_damaged_text_is_no_move(lv: Libvirt, text: str) -> None:
    assert parsed(text) == ()
    assert read_marks(Domain(ID, moves=text)) == ()


def test_a_domain_without_moves_has_none(lv: Libvirt) -> None:
    assert read_marks(Domain(ID)) == ()


def test_damaged_text_is_replaced_by_the_next_move(lv: Libvirt) -> None:
    domain = Domain(ID, moves="<moves><move")
    write_mark(domain, MARK)
    assert read_marks(domain) == (MARK,)


def test_the_newest_comes_first_and_only_so_many_are_kept(lv: Libvirt) -> None:
    domain = Domain(ID)
    marks = [replace(MARK, id=f"m-{n}", asked=NOON + timedelta(minutes=n)) for n in range(KEPT + 3)]
    for mark in marks:
        write_mark(domain, mark)
    assert read_marks(domain) == tuple(reversed(marks[3:]))


def test_what_has_become_of_a_move_replaces_it(lv: Libvirt) -> None:
    domain, other = Domain(ID), replace(MARK, id="m-0", asked=NOON - timedelta(hours=1))
    write_mark(domain, other)
    write_mark(domain, MARK)
    write_mark(domain, ended(MARK, NOON, "done"))
    assert [(m.id, m.result) for m in read_marks(domain)] == [("m-1", "done"), ("m-0", "")]


@pytest.mark.parametrize(
    ("domain", "flags"),
    [
        (Domain(ID), LIVE),
        (Domain(ID, persistent=True), LIVE | CONFIG),
        (Domain(ID, (SHUTOFF, 0), persistent=True), CONFIG),
    ],
)
def test_it_is_written_where_it_lasts(lv: Libvirt, domain: Domain, flags: int) -> None:
    write_mark(domain, MARK)
    assert domain.asked[-1] == ("setMetadata", flags)


def test_moves_that_nobody_called_over_are_told_by_what_came_after() -> None:
    h1, h2, h3 = map(HostName, ("h1", "h2", "h3"))
    onward, again, first = (
        Mark("m-3", h2, h3, NOON + timedelta(minutes=2)), Mark("m-2", h1, h2, NOON + timedelta(minutes=1)), MARK,
    )  # fmt: skip
    moves = (onward, again, first)
    assert [(m.id, m.result) for m in over(moves, h3)] == [("m-3", "done"), ("m-2", "done"), ("m-1", "failed")]
    assert [(m.id, m.result) for m in over(moves, h2)] == [("m-2", "done"), ("m-1", "failed")], "it may be beginning"
    said = ended(first, NOON, "aborted", "by a person")
    assert list(over((said,), h1)) == [said], "what is written counts"
