"""Who works for which orchestrator, who is out of service because of us, and how they are put back by hand."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from watari.app.clouds import Cloud
from watari.errors import BadInput, Permanent, Transient, WatariError
from watari.model.compute import Server
from watari.ports import Orchestrator, Standing

LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Member:
    """A server as one of its orchestrators sees it; `standing` is None if it does not know it any more."""

    orchestrator: str
    name: str
    server: Server
    standing: Standing | None

    @property
    def state(self) -> str:
        """One word, or two."""
        if self.standing is None:
            return "unknown"
        if self.standing.out:
            return "out by watari" if self.standing.ours else "out"
        return "serving" if self.standing.serving else "not fit"


def members(cloud: Cloud) -> Iterator[Member]:
    """Every member of every orchestrator, in their order. A question or two for each. Raises BadInput without any."""
    if not cloud.orchestrators:
        raise BadInput(f"no orchestrator is configured for cloud {cloud.name}; see docs/reference/orchestrators.md")
    servers = cloud.inventory().servers
    for orchestrator in cloud.orchestrators.values():
        found = orchestrator.members(servers.values())
        for id, name in sorted(found.items(), key=lambda pair: pair[1]):
            yield Member(orchestrator.name, name, servers[id], orchestrator.standing(name))


def attach(
    cloud: Cloud,
    member: str,
    named: str | None,
    patience_s: float,
    say: Callable[[str], None],
    *,
    anyway: bool = False,
) -> list[str]:
    """Put a member back into the orchestrators that it is out of because of us, and wait until it serves.

    `anyway`: whoever took it out. Returns the names of those. Raises BadInput for an unknown one, Permanent if it does
    not serve in time.
    """
    if named is not None and named not in cloud.orchestrators:
        known = ", ".join(cloud.orchestrators) or "none is configured"
        raise BadInput(f"cloud {cloud.name} has no orchestrator {named}; there are: {known}")
    chosen = [o for o in cloud.orchestrators.values() if named in (None, o.name)]
    errors: list[WatariError] = []
    done: list[str] = []
    for orchestrator in chosen:  # one that cannot keeps it out of no other one
        try:
            if _is_out(orchestrator, member, anyway=anyway):
                _attach(orchestrator, member, "" if anyway else orchestrator.was(member), patience_s, say)
                done.append(orchestrator.name)
        except WatariError as e:
            errors.append(e)
    if errors:
        raise errors[0]
    if not done:
        where = ", ".join(o.name for o in chosen) or "any orchestrator"
        whose = "" if anyway else " as far as watari's notes there say (HAProxy keeps none: add --anyway)"
        raise BadInput(f"{member} is not out of service in {where}{whose}; see watari members list")
    return done


def _is_out(orchestrator: Orchestrator, member: str, *, anyway: bool) -> bool:
    if not anyway:
        return member in orchestrator.left_out()
    standing = orchestrator.standing(member)
    return standing is not None and standing.out


def _attach(orchestrator: Orchestrator, member: str, was: str, patience_s: float, say: Callable[[str], None]) -> None:
    end, told = time.monotonic() + patience_s, ""
    while True:
        try:
            orchestrator.attach(member, was)
            standing = orchestrator.standing(member, was)
            if standing is not None and standing.serving:
                return
            if standing is not None and standing.out and not standing.ours:
                raise Permanent(
                    f"{member} stays out of {orchestrator.name}, where watari did not take it out: "
                    f"{standing.note or 'nobody says why'}; put it back there yourself"
                )
            why = standing.note if standing is not None else "it is not known"
        except Transient as e:
            why = str(e)
        if time.monotonic() > end:
            raise Permanent(f"{member} is still out of service in {orchestrator.name}: {why}")
        if why != told:
            say(f"{member} in {orchestrator.name}: {why}")
            told = why
        time.sleep(LOOK_S)
