"""What a story can say: one function per directive; its docstring is the directive's manual."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import get_args

from stage.cast import Cast, numbered, seconds, share
from stage.stage import Stage
from watari.drivers.sim.faults import (
    ApiDown,
    HostDeath,
    MigrationFails,
    MigrationRefused,
    NoMetrics,
    SlowLink,
    StaleMetrics,
)
from watari.jobs.drain import DrainRequest
from watari.jobs.placement.world import build_world
from watari.model.compute import HostName, HostState, PastMove, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.plan.render import explain, render
from watari.plan.text import percent
from watari.policy.load import parse_policy
from watari.policy.values import Policy

DAY = datetime(2024, 5, 1, tzinfo=UTC)
FAR_S = 1e9


class Story:
    """Plays directives. The cast is complete, and time begins, with the first directive that needs a cloud."""

    def __init__(self) -> None:
        self.cast = Cast()
        self.policy = Policy()
        self.start = DAY + timedelta(hours=12)
        self.round_s = 60.0
        self._stage: Stage | None = None

    @property
    def stage(self) -> Stage:
        if self._stage is None:
            self._stage = Stage(self.cast, self.policy, self.start, self.round_s)
        return self._stage

    def play(self, command: str, body: tuple[str, ...], where: str) -> str:
        """What the directive says; "ok" when that is nothing."""
        name, *words = command.split()
        if name not in DIRECTIVES:
            raise AssertionError(f"{where}: no directive {name!r}; there are {', '.join(sorted(DIRECTIVES))}")
        said = DIRECTIVES[name](self, words, body)
        return said.rstrip("\n") or "ok"


def _hosts(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`hosts az1: h1 h2 cpus=24 memory=512G`: hosts of a zone. See Cast.add_hosts for more keys."""
    options, names = _options(words)
    story.cast.add_hosts(names[0].removesuffix(":"), names[1:], options)
    return ""


def _servers(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`servers`, then a line each: `h1 web-1..4 4 16G demand=3.5 role=web`. See Cast.add_servers for more keys."""
    for line in body:
        options, (host, names, vcpus, memory) = _options(line.split())
        story.cast.add_servers(host, names, vcpus, memory, options)
    return ""


def _group(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`group db anti-affinity: db-1..3`: a server group."""
    story.cast.add_group(words[0], words[1].removesuffix(":"), words[2:])
    return ""


def _policy(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`policy`, then YAML: what differs from the default policy. May change while time passes."""
    story.policy = parse_policy("\n".join(body), "story.yaml")
    if story._stage is not None:
        stage = story.stage
        stage.policy = stage.balancer.policy = stage.balancer.executor.guard.policy = story.policy
    return ""


def _start(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`start 11:45 [rounds=5m]`: when the story begins (12:00 without it) and how often the balancer looks."""
    options, (clock,) = _options(words)
    hour, minute = clock.split(":")
    story.start = DAY + timedelta(hours=int(hour), minutes=int(minute))
    story.round_s = seconds(options.get("rounds", "60s"))
    return ""


def _demand(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`demand web-1..4 3.5`: from now on they ask for so many cores each."""
    for name in numbered(words[0]):
        story.stage.set_demand(name, float(words[1]))
    return ""


def _moved(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`moved web-1 h2 -> h1 20m ago [failed]`: a move of before the story, in the cloud's record."""
    server, source, _, target, ago = words[:5]
    ended = story.stage.cloud.now() - timedelta(seconds=seconds(ago))
    story.stage.api.before.append(
        PastMove(ServerId(server), HostName(source), HostName(target), ended, "failed" not in words)
    )
    return ""


def _somebody(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`somebody moves web-1 to h3`, `somebody deletes web-1`, `somebody disables h3 why`: behind the worker's back."""
    verb, server, *rest = words
    if verb == "deletes":
        story.stage.delete(server)
    elif verb == "disables":
        story.stage.cloud.disable_host(HostName(server), " ".join(rest))
    else:
        story.stage.cloud.start_live_migration(ServerId(server), HostName(rest[-1]))
    return ""


def _host(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`host h2 disabled`: up, disabled, draining or down, from now on; `host h2` says how it is, and why."""
    if len(words) == 1:
        found = story.stage.api.host(HostName(words[0]))
        assert found is not None, f"there is no host {words[0]}"
        return f"{found.name} is {found.state}{f': {found.state_note}' if found.state_note else ''}"
    state = next(known for known in get_args(HostState) if known == words[1])
    story.stage.cloud.set_host_state(HostName(words[0]), state)
    return ""


def _fault(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """Something breaks. `in=` says when (now), `for=` how long (for good).

    `fault api 503 for=2m`, `fault requests unavailable times=3` (to migrate: 503, and not taken),
    `fault requests unanswered times=1` (taken, the answer is lost), `fault migration web-1 fails at=60%`,
    `fault migration web-1 refused`, `fault metrics h3 stale`, `fault metrics h3 silent`, `fault link h1 carries=0%`,
    `fault death h2 in=30s`.
    """
    options, (kind, *names) = _options(words)
    stage = story.stage
    begin_s = stage.now_s + seconds(options.get("in", "0s"))
    end_s = begin_s + seconds(options["for"]) if "for" in options else FAR_S
    match kind, names:
        case "api", _:
            stage.faults.add(ApiDown(begin_s, end_s))
        case "requests", ["unavailable"]:
            stage.api.unavailable = int(options["times"])
        case "requests", ["unanswered"]:
            stage.api.lost_answers = int(options["times"])
        case "migration", [server, "fails"]:
            stage.faults.add(MigrationFails(share(options["at"]), ServerId(server)))
        case "migration", [server, "refused"]:
            stage.faults.add(MigrationRefused("no valid host was found", ServerId(server)))
        case "metrics", [host, "stale"]:
            stage.faults.add(StaleMetrics(HostName(host), begin_s, end_s))
        case "metrics", [host, "silent"]:
            stage.faults.add(NoMetrics(HostName(host), begin_s, end_s))
        case "link", [host]:
            stage.faults.add(SlowLink(HostName(host), share(options["carries"]), begin_s, end_s))
        case "death", [host]:
            stage.faults.add(HostDeath(HostName(host), begin_s))
        case _:
            raise AssertionError(f"no fault {' '.join(words)!r}; see {__name__}")
    return ""


def _advance(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`advance 5m`: time passes and nobody looks."""
    story.stage.cloud.advance(seconds(words[0]))
    return ""


def _rounds(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`rounds 2`: the balancer looks so many times, one round apart, and does not act."""
    story.stage.rounds(int(words[0]))
    return "\n".join(story.stage.take_lines())


def _plan(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`plan`: the last round's plan; without a round before it, a plan from one reading as a snapshot file gives it.

    `plan brief` shows it as the command line does. `plan drain h1 h2 reason=broken_DIMM then=enable` empties hosts;
    `storage=why` lets the storage forbid it (_ for space).
    """
    stage = story.stage
    if words[:1] == ["drain"]:
        options, (_, *names) = _options(words)
        text = render(_drain(story, options, [name for name in names if name != "brief"]), verbose="brief" not in words)
        return _without_id(stage.plan, text)
    looked = stage.balancer.snapshot is not None
    plan = stage.plan if looked else stage.look_once()
    return "nobody needs help" if plan is None else _without_id(plan, render(plan, verbose="brief" not in words))


def _drain(story: Story, options: dict[str, str], names: list[str]) -> Plan:
    hosts = tuple(HostName(name) for name in names)
    why = options.get("storage", "").replace("_", " ")
    reason = options.get("reason", "").replace("_", " ")
    return story.stage.look_to_drain(
        DrainRequest(hosts, reason, options.get("then") == "enable", dict.fromkeys(hosts, why) if why else {})
    )


def _explain(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`explain web-1`: what the last plan says about a server."""
    plan = story.stage.plan
    assert plan is not None, "there is no plan to explain"
    return _without_id(plan, "\n".join(explain(plan, words[0]) or ["the plan is silent"]))


def _without_id(plan: Plan | None, text: str) -> str:
    """The id follows from the last digit of every load, which is not the same on every processor."""
    return text.replace(f" {plan.id}", "") if plan else text


def _apply(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`apply`: the last plan is carried out until it is over, without further rounds; says what the journal says."""
    story.stage.carry_out()
    return "\n".join(story.stage.take_lines())


def _live(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`live 20m`: the balancer looks, plans and acts; says what the journal says, and who waits for what.

    `live 1d quietly` counts the moves instead.
    """
    story.stage.live(seconds(words[0]))
    lines = story.stage.take_lines()
    if "quietly" in words:
        return f"{sum(line.endswith(': done') for line in lines)} moves done"
    return "\n".join(lines) or "nothing happens"


def _crash(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`crash`: the worker will die after the cloud has taken its next request and before the answer is written."""
    story.stage.api.deadly = True
    return ""


def _stop(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`stop why`: the stop switch; `stop` alone releases it."""
    story.stage.balancer.executor.guard.stopped = " ".join(words)
    return ""


def _where(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`where web-1..4`: the hosts they are on."""
    cloud = story.stage.cloud
    names = [ServerId(one) for word in words for one in numbered(word)]
    return "\n".join(f"{name} {cloud.host_names[cloud.host_index[cloud.server_ids.index(name)]]}" for name in names)


def _starved(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`starved`: who is over both thresholds at this moment, in truth, whatever the meters say."""
    cloud, detect, now = story.stage.cloud, story.policy.detect, story.stage.cloud.contention
    found = (now.steal >= detect.steal) & (now.load_per_vcpu >= detect.load_per_vcpu)
    lines = [_in_need(story, server) for server in found.nonzero()[0].tolist()]
    return "\n".join(lines) or f"nobody of {len(cloud.server_ids)}"


def _in_need(story: Story, server: int) -> str:
    cloud, now = story.stage.cloud, story.stage.cloud.contention
    host = cloud.host_names[cloud.host_index[server]]
    steal, load = percent(float(now.steal[server])), float(now.load_per_vcpu[server])
    return f"{cloud.server_ids[server]} on {host}: steal {steal}, load per vCPU {load:.2f}"


def _flights(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`flights`: moves under way, with what they copy per second."""
    moves = story.stage.cloud.flights_progress()
    lines = [f"{m.server} {m.source} -> {m.target}: {m.status}, {m.rate_mib_s:.0f} MiB/s" for m in moves]
    return "\n".join(lines) or "none"


def _asked(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`asked`: how often the cloud was asked for which move."""
    return _table(f"{server} -> {target}: {times}" for (server, target), times in story.stage.api.asked.items())


def _cpus(story: Story, words: list[str], body: tuple[str, ...]) -> str:
    """`cpus h1`: what the planner believes that a host can give, in cores."""
    stage = story.stage
    memory = stage.balancer.memory
    rounds = None if memory is None else memory.throttled_rounds
    world = build_world(compute_snapshot(stage.api, stage.cloud, stage.cloud), story.policy, None, rounds)
    pairs = zip(world.hosts, world.cpus.tolist(), strict=True)
    return _table(f"{host.name}: {believed:.1f} of {host.cpus:.0f}" for host, believed in pairs if host.name in words)


def _table(lines: Iterable[str]) -> str:
    return "\n".join(sorted(lines)) or "nothing"


def _options(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """`key=value` words apart from the others."""
    keyed = [word for word in words if re.match(r"[a-z]+=", word)]
    return dict(word.split("=", 1) for word in keyed), [word for word in words if word not in keyed]


DIRECTIVES: dict[str, Callable[[Story, list[str], tuple[str, ...]], str]] = {
    function.__name__.removeprefix("_"): function
    for function in (
        _hosts, _servers, _group, _policy, _start, _demand, _moved, _somebody, _host, _fault, _advance, _rounds, _plan,
        _explain, _apply, _live, _crash, _stop, _where, _starved, _flights, _asked, _cpus,
    )
}  # fmt: skip
