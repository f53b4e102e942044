"""What goes over the wire to the page: one full state, then ticks that say what changed.

Units, unless a field says otherwise: MiB, MiB/s, seconds, cores. Times are ISO 8601 with an offset, in the operator's
zone: the page shows their wall clock as written and never converts. Hosts and servers are named by their index in
`hosts` and in the columns of `servers`. Streams carry small integers (permille, hundredths) because they are sent
several times a second; everything asked for once carries plain fractions.
"""

from typing import Literal, TypedDict

NO_DATA = -1
"""In a column of loads: this server sends no data. Never zero."""

HostState = Literal["up", "disabled", "draining", "down"]
FlightPhase = Literal["queued", "detach", "disk", "memory", "attach"]
Outcome = Literal["done", "failed", "undone"]
Intent = Literal["moving", "planned", "relieved", "refused"]
"""What is done about a starved server: it moves, its move waits for its turn, others move away from it, or nothing."""
VerdictKind = Literal["moving", "planned", "relieved", "refused", "healthy", "no data"]

_Hours = TypedDict("_Hours", {"from": str, "to": str})
_Route = TypedDict("_Route", {"from": int, "to": int})
_Way = TypedDict("_Way", {"from": str, "to": str})


class Policy(TypedDict):
    """The thresholds that the page draws and quotes."""

    name: str
    steal: float
    """Starved from here on: share (0-1) of one vCPU's time asked for and not given."""
    load_per_vcpu: float
    """And this load average per vCPU."""
    hold_rounds: int
    """Rounds in a row."""
    cool_down_s: float


class MoveCounts(TypedDict):
    """Moves of today by outcome."""

    done: int
    running: int
    undone: int
    failed: int


class MovedMib(TypedDict):
    """What today's moves copied so far, MiB."""

    memory: float
    disk: float


class Budget(TypedDict):
    """One limit and how much of it is taken. A `unit` of "MiB/s" is scaled by the page; "" is a plain count."""

    name: str
    used: float
    limit: float
    unit: str


class Peak(_Hours):
    """A daily window, wall clock "HH:MM", [from, to); it may cross midnight. At most `moves` at once in it.

    `zones` are the availability zones it holds for; empty means all.
    """

    moves: int
    zones: list[str]


class Strip(TypedDict):
    """The numbers on top. `*_shadow*` is the same cloud with nothing done; None where no shadow is kept."""

    starved: int
    starved_shadow: int | None
    steal_s_today: float
    """CPU seconds asked for and not given since midnight, the whole cloud."""
    steal_s_shadow_today: float | None
    moves: MoveCounts
    moved_mib: MovedMib
    budgets: list[Budget]
    """The three that matter most right now, in the order shown."""
    quiet: Peak | None
    """The window that holds now, else the next one of today; None if there is none."""


class Host(TypedDict):
    """A hypervisor. `threads` hardware threads, `ratio` vCPUs placed per thread at most."""

    name: str
    zone: str
    rack: str
    state: HostState
    state_note: str
    """Why it is not up, or why it sends no data: "for a firmware update, by m.sato"."""
    threads: float
    ratio: float
    memory_mib: int


class Servers(TypedDict):
    """Every server as columns of equal length; row i is server i."""

    id: list[str]
    name: list[str]
    host: list[int]
    """Index into `hosts`: where it runs now. A server in flight is still at its source."""
    vcpu: list[int]
    memory_mib: list[int]
    role: list[str]


class Loads(TypedDict):
    """What every server suffers, columns in the order of `servers`; NO_DATA where nothing is known."""

    steal: list[int]
    """Permille of one vCPU's time asked for and not given."""
    per_vcpu: list[int]
    """Load average per vCPU in hundredths: 126 is 1.26."""
    age_s: float
    """Age of the newest reading when this was sent, seconds of the cloud's clock."""


class Flight(_Route):
    """A move under way, from host index `from` to host index `to`."""

    id: str
    """The operation's id; stable while it runs."""
    n: int
    """The number shown on the map and in the list, 1-based; stable while it runs."""
    server: int
    phase: FlightPhase
    attempt: int
    done_mib: float
    total_mib: float
    rate_mib_s: float
    eta_s: float | None
    """Seconds of the cloud's clock; None while unknown."""
    stalled_since: str | None
    """When it last made progress, if that is too long ago; else None."""


class Starved(TypedDict):
    """A starved server and what is done about it. Its numbers are in `load`."""

    server: int
    intent: Intent
    to: int | None
    """The host index it moves to; None when it is not moved."""
    why: str
    """For refused and relieved: the reason, with value and limit. Else what it waits for, or ""."""


class Chart(TypedDict):
    """The day in slots of `step_s` from `start`; slot i is [start + i * step_s, + step_s). Columns of equal length."""

    start: str
    step_s: int
    measured: list[float]
    """Mean cores asked for and not given (seconds per second), all zones."""
    shadow: list[float]
    """The same with nothing done; empty where no shadow is kept."""
    starved: list[int]
    """Starved servers at the end of the slot: the spark line."""
    done: list[int]
    """Moves that ended in this slot, by outcome."""
    undone: list[int]
    failed: list[int]
    forecast: list[float]
    """What the learned day expects with nothing done, for the whole day; empty while nothing is learned."""


class ChartTail(TypedDict):
    """The slots from index `at` on: they replace what the page holds from there."""

    at: int
    measured: list[float]
    shadow: list[float]
    starved: list[int]
    done: list[int]
    undone: list[int]
    failed: list[int]


class Ended(TypedDict):
    """The final sums of a day that is over. `*_shadow`: with nothing done."""

    starved_min: float
    """Starved server-minutes."""
    starved_min_shadow: float
    steal_s: float
    steal_s_shadow: float
    avoided: float | None
    """Share (0-1) of the avoidable starvation that was avoided; None if nothing was avoidable."""
    moves: MoveCounts
    moved_mib: MovedMib


class PageState(TypedDict):
    """Everything the page shows, complete: event `state` and GET /v1/clouds/{cloud}/state."""

    cloud: str
    now: str
    """The cloud's clock."""
    time_zone: str
    """How that zone is called: "JST"."""
    pace: float
    """Seconds of the cloud's clock per second: 1 for a real cloud, 1440 for a day in a minute."""
    policy: Policy
    strip: Strip
    hosts: list[Host]
    host_cpu: list[int]
    """CPU demand per host, permille of its threads (over 1000: overloaded); NO_DATA where unknown."""
    servers: Servers
    load: Loads
    flights: list[Flight]
    """Oldest first."""
    starved: list[Starved]
    """All of them, worst first: the map outlines them, the inspector lists them."""
    chart: Chart
    peaks: list[Peak]
    ended: Ended | None


class PageTick(TypedDict, total=False):
    """What changed. Each key replaces the state's key of that name, a missing key means unchanged; two differ: `placed`
    changes single rows of `servers.host`, `chart` replaces the chart's tail. The hub leaves out what is as it was, so a
    publisher may fill in everything every time. What has no key here (hosts, new servers) needs a new full state.
    """

    now: str
    strip: Strip
    host_cpu: list[int]
    placed: list[tuple[int, int]]
    """(server index, host index) of each server that changed its host since the last tick."""
    load: Loads
    flights: list[Flight]
    starved: list[Starved]
    chart: ChartTail
    ended: Ended | None


class Verdict(TypedDict):
    """What is done about this server, and the reason: `title` "Will move to az3-h22", `text` a few sentences."""

    kind: VerdictKind
    title: str
    text: str


class Rule(TypedDict):
    """One rule of the policy against this server: "steal at or over 5 %, 2 rounds", met, "16 %", "5 %"."""

    name: str
    met: bool
    value: str
    limit: str


class Candidate(TypedDict):
    """A destination that was weighed when the decision was made; the winner first. Fractions are 0-1."""

    host: str
    score: float | None
    """Lowest wins; None: ruled out."""
    steal: float | None
    """Projected steal of the worst server there after the move."""
    same_role: int
    free_mib: int
    cpu_after: float
    why: str
    """What it won or lost by, compared with the winner."""


class LoadNow(TypedDict):
    """The last reading: steal as a fraction 0-1 of one vCPU's time, age in seconds."""

    steal: float
    per_vcpu: float
    source: str
    age_s: float


class HistoryPoint(TypedDict):
    """One earlier reading; None where the server sent no data."""

    t: str
    steal: float | None
    per_vcpu: float | None


class PastMove(_Way):
    """A move of this server that is over, from host name `from` to host name `to`."""

    ended: str
    outcome: Outcome
    benefit: float | None
    """Steal before minus steal after, 0-1; None while not measured."""


class ServerDetails(TypedDict):
    """The inspector: GET /v1/clouds/{cloud}/servers/{id}."""

    id: str
    name: str
    host: str
    zone: str
    role: str
    project: str
    flavor: str
    vcpu: int
    memory_mib: int
    disk_gib: int
    """Local disk, that a move has to copy; 0: shared storage."""
    orchestrator: str
    """"Kubernetes", "Consul", or "" when none has to let go of it."""
    starved: bool
    verdict: Verdict
    load: LoadNow | None
    """None: it sends no data."""
    rules: list[Rule]
    candidates: list[Candidate]
    candidates_note: str
    """What the list covers: "15 fit of 23"."""
    help: str
    """For a refused server: what a person can do; else ""."""
    history: list[HistoryPoint]
    """Oldest first, evenly spaced, at most 200 points."""
    moves: list[PastMove]
    """Newest first, at most 20."""
