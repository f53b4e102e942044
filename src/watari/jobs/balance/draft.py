"""A plan in the making: the decisions so far, in indices of World, before they are put into words."""

from dataclasses import dataclass, field

from watari.jobs.placement.destinations import Destinations
from watari.jobs.placement.detect import Diagnosis
from watari.jobs.placement.ledger import Ledger
from watari.jobs.placement.moves import Move
from watari.jobs.placement.standing import Ban, Standing
from watari.jobs.placement.world import Bools, World
from watari.model.reasons import Candidate
from watari.policy.values import Policy


@dataclass(slots=True)
class Draft:
    """Everything that planning works on and `compose` turns into a Plan."""

    world: World
    policy: Policy
    found: Diagnosis
    standing: Standing
    ledger: Ledger
    destinations: Destinations
    moves: list[Move] = field(default_factory=list)
    nowhere: dict[int, tuple[str, str, tuple[Candidate, ...]]] = field(default_factory=dict)  # no destination: why
    bans: dict[int, Ban] = field(default_factory=dict)  # servers of hot hosts that may not move
    lasting: Bools | None = None  # servers whose steal lasts whatever their host is asked for; None: all that are held
    eased: set[int] = field(default_factory=set)  # hosts that one such server leaves
    halfway: set[int] = field(default_factory=set)  # hosts that nothing relieves; the starved get away
