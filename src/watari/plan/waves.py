"""Put operations into waves that keep the budgets of concurrency; the guard checks them again when it is time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Slot:
    """One budget that an operation takes a place of: `key` names it for people, `limit` is how many go at once."""

    key: str
    limit: int


@dataclass(slots=True)
class Waves:
    """Fills waves in order from wave `start`, which includes what is under way; `taken[key][w]` counts places in w."""

    taken: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    first_open: dict[str, int] = field(default_factory=dict)
    start: int = 1

    def place(self, slots: Sequence[Slot]) -> tuple[int, str]:
        """The first wave with room in every budget, and what the operation waits for ("" in the first wave)."""
        wave = max((self.first_open.get(s.key, self.start) for s in slots), default=self.start)
        blocked = next((s for s in slots if self.first_open.get(s.key, self.start) == wave), None)
        while full := next((s for s in slots if self.taken[s.key][wave] >= s.limit), None):
            blocked, wave = full, wave + 1
        for slot in slots:
            self.taken[slot.key][wave] += 1
            self._advance(slot)
        if wave == self.start or blocked is None:
            return wave, ""
        return wave, f"{blocked.key}: {blocked.limit} of {blocked.limit} at once in wave {wave - 1}"

    def _advance(self, slot: Slot) -> None:
        w = self.first_open.get(slot.key, self.start)
        while self.taken[slot.key][w] >= slot.limit:
            w += 1
        self.first_open[slot.key] = w


def waves_from(under_way: Iterable[Sequence[Slot]], start: int = 1) -> Waves:
    """Waves whose first one already holds what is under way (even if that is over a budget)."""
    waves = Waves(start=start)
    for slots in under_way:
        for slot in slots:
            waves.taken[slot.key][start] += 1
            waves._advance(slot)
    return waves


def move_slots(source: str, target: str, zone: str, role: str, limits: Mapping[str, int]) -> tuple[Slot, ...]:
    """The budgets that a move of a server takes a place of. `limits`: total, out, in, zone, role."""
    slots = [
        Slot("moves in total", limits["total"]),
        Slot(f"moves in {zone}", limits["zone"]),
        Slot(f"moves out of {source}", limits["out"]),
        Slot(f"moves into {target}", limits["in"]),
    ]
    if role:
        slots.append(Slot(f"moves of role {role}", limits["role"]))
    return tuple(slots)
