"""A drain in the making: which hosts are emptied, who can leave and how, and where each of them goes."""

from dataclasses import dataclass, field
from typing import Literal

from watari.jobs.drain.request import DrainRequest
from watari.jobs.drain.ways import Way
from watari.jobs.placement.destinations import Destinations
from watari.jobs.placement.detect import Diagnosis
from watari.jobs.placement.ledger import Ledger
from watari.jobs.placement.moves import Move
from watari.jobs.placement.standing import Standing
from watari.jobs.placement.world import World
from watari.model.reasons import Finding, Refusal
from watari.policy.values import Policy

Concession = Literal["", "crowd", "alone", "steal"]  # what a destination may break: nothing … all of it


@dataclass(frozen=True, slots=True)
class Choice:
    """One server that leaves, how, where to, and what had to be conceded for it."""

    move: Move
    way: Way
    conceded: Concession


@dataclass(slots=True)
class Draft:
    """`measured` has loads as they are; `judged` counts a server of unknown load as asking for all its vCPUs.

    `tiers`: the rules for destinations, the stricter ones first; `beyond` are tiers that the policy does not allow.
    """

    world: World
    policy: Policy
    request: DrainRequest
    measured: Diagnosis
    judged: Diagnosis
    standing: Standing
    ledger: Ledger
    emptied: tuple[int, ...]  # hosts that are drained
    tiers: tuple[tuple[Concession, Destinations], ...]
    beyond: tuple[tuple[str, Destinations], ...]  # the policy's key that would open it
    choices: list[Choice] = field(default_factory=list)
    refusals: dict[int, Refusal] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
