"""A receiver for each test that wants one."""

from collections.abc import Iterator

import pytest

from unit.notify.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made
