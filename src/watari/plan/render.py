"""A plan as text, for the command line, the log and the scenario files: verdict first, then why."""

from collections import Counter
from collections.abc import Iterable

from watari.model.reasons import Candidate, Finding, Reason, Refusal
from watari.plan.plan import Forecast, Operation, OperationId, Plan
from watari.plan.steps import VERBS, ColdMigrate, Detach, DisableHost, EnableHost
from watari.plan.text import count, format_duration, gib, listed, percent, printable

MOVING = "moving"  # the code of a refusal of a server that is under way already
RELIEVED = "relieved"  # the code of a refusal that is none: the server gets better by another one's move
BLINDING = ("blind", "empty-cloud")  # findings after which "no server is starved" would be a guess
BARRING = ("host-down", "storage")  # findings for which a host is not drained at all
WAITING = ("hold", MOVING, "easing")  # refusals that end by themselves
COLUMNS = ("#", "server", "from", "to", "GiB", "seconds", "wave", "steal", "why", "action")
_SHOWN = 20
_NAMES = 5


def render(plan: Plan, *, verbose: bool = False) -> str:
    """The whole plan, ended by a line feed.

    Not verbose: servers that stay are counted per operation, and of refusals and findings the first 20 are shown.
    """
    lines = [_headline(plan)]
    lines += [f"  {line}" for line in _forecast(plan.forecast)]
    wave, in_service = 0, frozenset(op.id for op in plan.operations if op.move is None)
    for operation in sorted(plan.operations, key=lambda o: o.wave):
        if operation.wave != wave:
            wave = operation.wave
            lines.append(f"  wave {wave}")
        lines += [f"    {line}" for line in render_operation(operation, in_service)]
    lines += [f"  {line}" for line in _stays(plan, verbose)]
    refused = [refusal for refusal in plan.refusals if refusal.code != RELIEVED]
    lines += [f"  {line}" for line in _refused(refused, verbose)]
    lines += [f"  {line}" for line in _found(plan.findings, verbose)]
    return "\n".join(printable(line) for line in lines) + "\n"


def render_operation(op: Operation, untold: frozenset[OperationId] = frozenset()) -> list[str]:
    """One operation: what it does, why, why there, who lost, what it waits for; all but the first line indented.

    That it waits for `untold` operations is left out where nothing else is to be said: it stands below them.
    """
    costs = f" ({', '.join(_costs(op))})" if op.move else ""
    lines = [f"{op.id} {_action(op)}{costs}"]
    if members := [step for step in op.steps if isinstance(step, Detach)]:
        leaves = ", ".join(f"{step.orchestrator} (as {step.member})" for step in members)
        lines.append(f"    leaves {leaves} before, and is back after")
    elif len(op.steps) > 1:
        lines += [f"    step {n} {step}" for n, step in enumerate(op.steps, 1)]
    lines += [f"    {line}" for line in _why(op, untold)]
    return [printable(line) for line in lines]


def render_table(plan: Plan) -> tuple[tuple[str, ...], list[tuple[str | int | float, ...]]]:
    """Columns and one row per operation; memory and disk together in GiB, the expected time in seconds.

    A host that is disabled or enabled stands in the column `from`.
    """
    rows: list[tuple[str | int | float, ...]] = []
    for op in plan.operations:
        server, source, steal = (op.name, str(op.source), f"{_steal(op.steal_before)} -> {_steal(op.steal_after)}")
        if not op.move:
            server, source, steal = "", op.name, ""
        why = ", ".join(_reason(reason) for reason in op.reasons) or _host_reason(op)
        verb = VERBS[type(op.move or op.steps[0])] if op.steps else ""
        texts = [printable(text) for text in (op.id, server, source, op.target, steal, why, verb)]
        rows.append((*texts[:4], round(op.cost.mib / 1024, 1), round(op.cost.seconds), op.wave, *texts[4:]))
    return COLUMNS, rows


def explain(plan: Plan, server: str) -> list[str] | None:
    """Why this server (id, or name as the plan has it) is moved, stays or is refused; None if the plan is silent."""
    moved = [op for op in plan.operations if op.subject == server]
    moved = moved or [op for op in plan.operations if op.name == server]
    lines = [line for op in moved for line in _explain_move(plan, op)]
    for refusal in plan.refusals:
        if server in (refusal.subject, refusal.name):
            is_relieved, name = refusal.code == RELIEVED, refusal.label
            lines.append(_stay(refusal, f"{name} stays") if is_relieved else _no(refusal, f"{name} is not moved"))
            lines += [f"    {_ruled_out(candidate)}" for candidate in refusal.candidates]
    if not moved:
        for op in plan.operations:
            if server in op.relieves:
                lines.append(f"{server} gets better by operation {op.id}: {_action(op)}")
    return [printable(line) for line in lines] or None


def expected_seconds(plan: Plan) -> float:
    """How long the plan takes if every wave is as slow as its slowest operation."""
    slowest: dict[int, float] = {}
    for op in plan.operations:
        slowest[op.wave] = max(slowest.get(op.wave, 0.0), op.cost.seconds)
    return sum(slowest.values())


def _headline(plan: Plan) -> str:
    name = f"plan {plan.job} {plan.id}" + (f" on {plan.cloud}" if plan.cloud else "")
    if not plan.operations:
        return f"{name}: {_nothing(plan)}"
    if drained := [step.host for op in plan.operations for step in op.steps if isinstance(step, DisableHost)]:
        return f"{name}: {_emptied(plan, tuple(drained))}"
    memory = sum(op.cost.memory_mib for op in plan.operations)
    disk = sum(op.cost.disk_mib for op in plan.operations)
    amounts = f"{gib(memory)} memory, {gib(disk)} disk, about {format_duration(expected_seconds(plan))}"
    moves = sum(op.move is not None for op in plan.operations)
    what = count(moves, "move") if moves == len(plan.operations) else count(len(plan.operations), "operation")
    return f"{name}: {what} in {count(plan.waves, 'wave')}, {amounts}"


def _emptied(plan: Plan, hosts: tuple[str, ...]) -> str:
    """`h07 would be empty: 12 moves (10 live, 2 cold) in 3 waves, 96 GiB memory, about 4 min`."""
    moves = [op for op in plan.operations if op.move]
    stays = sum(refusal.code != MOVING for refusal in plan.refusals)
    servers = len(moves) + len(plan.refusals)
    who = listed(hosts, _NAMES)
    if not servers:
        back = any(isinstance(step, EnableHost) for op in plan.operations for step in op.steps)
        return f"{who} {'is' if len(hosts) == 1 else 'are'} empty{'' if back else ' and would take no more servers'}"
    some = f"all {servers:,} servers" if servers > 1 else "its only server"
    kept = f"keep {stays:,} of {count(servers, 'server')}" if stays < servers else f"keep {some}"
    verdict = f"{who} would {kept if stays else 'be empty'}"
    if not moves:
        return f"{verdict}: no moves"
    cold = sum(isinstance(op.move, ColdMigrate) for op in moves)
    kinds = f" ({len(moves) - cold} live, {cold} cold)" if cold else ""
    waves = count(len({op.wave for op in moves}), "wave")
    disk = sum(op.cost.disk_mib for op in moves)
    amounts = [f"{gib(sum(op.cost.memory_mib for op in moves))} memory", *([f"{gib(disk)} disk"] if disk else [])]
    amounts.append(f"about {format_duration(expected_seconds(plan))}")
    return f"{verdict}: {count(len(moves), 'move')}{kinds} in {waves}, {', '.join(amounts)}"


def _nothing(plan: Plan) -> str:
    """An empty plan says why it is empty."""
    if barred := next((finding for finding in plan.findings if finding.code in BARRING), None):
        return f"nothing was planned: {barred.subject} {barred.text}"
    if blinding := next((finding for finding in plan.findings if finding.code in BLINDING), None):
        return f"nothing was planned: {blinding.text}"
    refused = sum(refusal.code != RELIEVED for refusal in plan.refusals)
    starved = plan.forecast.starved_before
    if starved:
        waiting = sum(refusal.code in WAITING for refusal in plan.refusals)
        return f"nothing to do now, {_starved(starved, waiting)}"
    if refused:
        return f"nothing to do now, {refused} refused"
    return "nothing to do, no server is starved"


def _starved(starved: int, waiting: int) -> str:
    """`waiting` of the starved servers need no help of a person: they are looked at again."""
    if not waiting:
        return f"{count(starved, 'starved server')} cannot be helped"
    if waiting >= starved:
        return f"{count(starved, 'starved server')} will be judged again when it lasts"
    return f"{starved - waiting} of {count(starved, 'starved server')} cannot be helped, the others are judged again"


def _forecast(forecast: Forecast) -> list[str]:
    if not any((forecast.starved_before, forecast.over_before, forecast.steal_before, forecast.steal_after)):
        return []
    return [
        f"starved {forecast.starved_before} -> {forecast.starved_after}, "
        f"hosts over capacity {forecast.over_before} -> {forecast.over_after}, "
        f"steal {forecast.steal_before:,.1f} -> {forecast.steal_after:,.1f} cores"
    ]


def _action(op: Operation) -> str:
    """`live-migrate web-0107 az1-h07 -> az1-h22`: with the name, as the id in the step says nothing to people."""
    if not op.steps:
        return f"{op.name}: no steps"
    if (move := op.move) is not None:
        return f"{VERBS[type(move)]} {op.name} {move.source} -> {move.target}"
    match op.steps[0]:
        case DisableHost(host, reason):
            return f"disable {host}: {reason}"
        case EnableHost(host):
            return f"enable {host}"
        case step:
            return str(step)


def _host_reason(op: Operation) -> str:
    """Why a host is disabled: the reason that the cloud will show."""
    return op.steps[0].reason if op.steps and isinstance(op.steps[0], DisableHost) else ""


def _costs(op: Operation) -> list[str]:
    size = f"{op.vcpus} vCPU, " if op.vcpus else ""
    costs = [size + gib(op.cost.memory_mib)]
    if op.cost.disk_mib:
        costs[0] = f"{size}{gib(op.cost.memory_mib)} + {gib(op.cost.disk_mib)} disk"
    if isinstance(op.move, ColdMigrate):  # copies no memory
        costs[0] = f"{size}{f'{gib(op.cost.disk_mib)} disk' if op.cost.disk_mib else 'nothing to copy'}"
    costs.append(f"about {format_duration(op.cost.seconds)}")
    if op.cost.downtime_s >= 1:
        word = "down about" if isinstance(op.move, ColdMigrate) else "pause"
        costs.append(f"{word} {format_duration(op.cost.downtime_s)}")
    return [*costs, "destructive"] if op.destructive else costs


def _why(op: Operation, untold: frozenset[OperationId] = frozenset(), *, winner: bool = False) -> list[str]:
    """Why it moves and why there. `winner` adds what the chosen host won by, which the numbers mostly show."""
    lines = []
    because = ", ".join(_reason(reason) for reason in op.reasons)
    relieves = f"relieves {listed(op.relieves, _NAMES)}" if op.relieves else ""
    if because or relieves:
        lines.append(f"because {because}; {relieves}" if because and relieves else f"because {because or relieves}")
    if op.candidates:
        won = f"; {op.candidates[0].why}" if winner and op.candidates[0].why else ""
        lines.append(_chosen(op.candidates[0], op.role) + won)
        lines += [_lost(candidate) for candidate in op.candidates[1:]]
    waits_for = tuple(id for id in op.waits_for if id not in untold)
    if waits_for or op.waits_why:
        lines.append(_waits(waits_for, op.waits_why))
    return lines


def _reason(reason: Reason) -> str:
    words = f"{reason.text} {reason.value}" if reason.value else reason.text
    return f"{words} (limit {reason.limit})" if reason.limit else words


def _chosen(candidate: Candidate, role: str) -> str:
    facts = [] if candidate.steal is None else [f"projected steal {percent(candidate.steal)}"]
    facts += [
        f"{candidate.same_role} {role or 'of its role'} there",
        f"cpu {percent(candidate.cpu_after)}",
        f"{gib(candidate.free_mib)} free",
    ]
    if candidate.score is not None:
        facts.append(f"score {candidate.score:.2f}")
    return f"chosen {candidate.host}: {', '.join(facts)}"


def _lost(candidate: Candidate) -> str:
    if candidate.score is None:
        return _ruled_out(candidate)
    return f"lost {candidate.host}: {candidate.why} (score {candidate.score:.2f})"


def _ruled_out(candidate: Candidate) -> str:
    if candidate.score is not None:
        return _lost(candidate)
    return f"ruled out {candidate.host}: {candidate.why}"


def _waits(ids: tuple[OperationId, ...], why: str) -> str:
    if not ids:
        return f"waits: {why}"
    shown = _operations(ids) if len(ids) <= _NAMES else f"{count(len(ids), 'operation')}, {ids[0]} to {ids[-1]}"
    return f"waits for {shown}{f': {why}' if why else ''}"


def _operations(ids: tuple[OperationId, ...]) -> str:
    return f"operation {ids[0]}" if len(ids) == 1 else f"operations {', '.join(ids)}"


def _stays(plan: Plan, verbose: bool) -> list[str]:
    stays = [refusal for refusal in plan.refusals if refusal.code == RELIEVED]
    if verbose:
        return [_stay(refusal, f"stays {refusal.label}") for refusal in stays]
    reliever: dict[str, list[OperationId]] = {}
    for op in plan.operations:
        for server in op.relieves:
            reliever.setdefault(server, []).append(op.id)
    groups: dict[str, list[str]] = {}
    for refusal in stays:
        ids = tuple(reliever.get(refusal.label, ()))
        groups.setdefault(f"relieved by {_operations(ids)}" if ids else refusal.why, []).append(refusal.label)
    return [
        f"stays {servers[0] if len(servers) == 1 else count(len(servers), 'server')}: {why}"
        for why, servers in groups.items()
    ]


def _refused(refusals: list[Refusal], verbose: bool) -> list[str]:
    lines = []
    for refusal in refusals if verbose else refusals[:_SHOWN]:
        lines.append(_no(refusal, f"refused {refusal.label}"))
        if verbose:
            lines += [f"    {_ruled_out(candidate)}" for candidate in refusal.candidates]
    if not verbose and len(refusals) > _SHOWN:
        lines.append(f"and {_by_code([refusal.code for refusal in refusals[_SHOWN:]], 'refused')}")
    return lines


def _no(refusal: Refusal, verdict: str) -> str:
    return f"{verdict}: {_sentences(refusal.why, refusal.help)}"


def _stay(refusal: Refusal, verdict: str) -> str:
    return f"{verdict}: {_sentences(refusal.why, refusal.help)}"


def _found(findings: tuple[Finding, ...], verbose: bool) -> list[str]:
    lines = [
        f"finding {finding.subject}: {_sentences(finding.text, finding.help)}"
        + ("" if finding.severity == "warning" else f" ({finding.severity})")
        for finding in (findings if verbose else findings[:_SHOWN])
    ]
    if not verbose and len(findings) > _SHOWN:
        lines.append(f"and {_by_code([finding.code for finding in findings[_SHOWN:]], 'findings')}")
    return lines


def _by_code(codes: list[str], what: str) -> str:
    """`13 more refused: 10 cool-down, 3 no-destination`."""
    kinds = ", ".join(f"{n} {code}" for code, n in sorted(Counter(codes).items(), key=lambda kind: (-kind[1], kind[0])))
    return f"{len(codes)} more {what}: {kinds}"


def _explain_move(plan: Plan, op: Operation) -> Iterable[str]:
    if not op.move:
        yield f"{op.name}: operation {op.id} of plan {plan.id}, wave {op.wave} of {plan.waves}: {_action(op)}"
        return
    name = op.name if op.name == op.subject else f"{op.name} ({op.subject})"
    yield f"{name} is moved by operation {op.id} of plan {plan.id}, wave {op.wave} of {plan.waves}: {_action(op)}"
    yield f"    costs {', '.join(_costs(op))}; steal {_steal(op.steal_before)} -> {_steal(op.steal_after)}"
    for line in _why(op, winner=True):
        yield f"    {line}"


def _steal(share: float | None) -> str:
    return "unknown" if share is None else percent(share)


def _sentences(text: str, help: str) -> str:
    """`why. Help`, with one full stop between."""
    return f"{text.rstrip('.')}. {help}" if help else text
