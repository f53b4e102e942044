"""Links are shared max-min fair, whoever uses which of them."""

from hypothesis import given
from hypothesis import strategies as st

from watari.model.links import fair_shares

LINKS = ("a", "b", "c", "d")
NEAR = 1e-6

users = st.lists(
    st.tuples(
        st.lists(st.sampled_from(LINKS), min_size=1, max_size=3, unique=True),
        st.one_of(st.just(float("inf")), st.floats(0.5, 200.0)),
    ),
    max_size=8,
)
capacities = st.fixed_dictionaries({link: st.floats(0.0, 300.0) for link in LINKS})


@given(users, capacities)
def test_nobody_could_have_more_without_taking_it_from_one_who_has_less(
    users: list[tuple[list[str], float]], capacity: dict[str, float]
) -> None:
    uses, caps = [links for links, _ in users], [cap for _, cap in users]
    rates = fair_shares(uses, caps, capacity)
    carried = {link: sum(r for r, links in zip(rates, uses, strict=True) if link in links) for link in LINKS}
    assert all(carried[link] <= capacity[link] + NEAR for link in LINKS)
    for rate, links, cap in zip(rates, uses, caps, strict=True):
        assert 0.0 <= rate <= cap + NEAR
        full = [link for link in links if carried[link] >= capacity[link] - NEAR]
        most = {link: max(r for r, other in zip(rates, uses, strict=True) if link in other) for link in full}
        assert rate >= cap - NEAR or any(rate >= most[link] - NEAR for link in full)
