"""Every story in scenarios/ says what it should, from the first directive to the last."""

from pathlib import Path

import pytest

from scenario import replay

SCENARIOS = Path(__file__).parent / "scenarios"
STORIES = sorted(SCENARIOS.glob("*/*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=[str(path.relative_to(SCENARIOS).with_suffix("")) for path in STORIES])
def test_scenario(path: Path, rewrite: bool) -> None:
    replay(path, rewrite=rewrite)
