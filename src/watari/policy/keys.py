"""The policy file's keys: one table from keys to fields, with what each means and what may stand there."""

from collections.abc import Mapping

from watari.policy import kinds, windows
from watari.policy.kinds import Key
from watari.policy.values import (
    Budgets,
    Calm,
    Copying,
    Destination,
    Detect,
    Drain,
    Exclude,
    LookAhead,
    Orchestration,
    Roles,
    Serve,
    Weights,
)

SAME_ZONE = "servers never leave their zone, so that redundancy over zones survives"

# The table. A key is its field without the unit; the order is the order of the shipped files and of the reference.
TOP: Mapping[str, Key] = {
    "name": Key(kinds.text("quiet-nights"), "name", "What plans call this policy; without it, the file's name."),
    "rule": Key(
        kinds.choice("projected", "published"),
        "rule",
        "projected: by steal as it will be after the move; published: by steal as it is now (B1, B2 as published).",
    ),
    "timezone": Key(kinds.timezone(), "timezone", "Where the windows' clock hangs and the daily shape is learned."),
    "expires": Key(kinds.seconds(above=0.0), "expires_s", "A plan older than this is not carried out any more."),
}
SECTIONS: Mapping[str, tuple[type, Mapping[str, Key]]] = {
    "detect": (
        Detect,
        {
            "steal": Key(kinds.share(above=0.0), "steal", "Starved: at least this steal, of one vCPU's time … (B1)"),
            "load_per_vcpu": Key(kinds.number(), "load_per_vcpu", "… and at least this load average per vCPU (B1)."),
            "hold_rounds": Key(
                kinds.whole(least=1),
                "hold_rounds",
                "Both, in so many rounds in a row; half of them far over the limits.",
            ),
            "smoothing": Key(
                kinds.seconds(), "smoothing_s", "Time constant of the moving average of steal and load; 0 s: none."
            ),
            "stale_after": Key(
                kinds.seconds(above=0.0), "stale_after_s", "Older readings are no readings: unknown is never idle."
            ),
            "host_over": Key(
                kinds.or_none(kinds.share(above=0.0, most=4.0)),
                "host_over",
                "Also relieve a host whose demand is over this share of its threads; none: never.",
            ),
        },
    ),
    "destination": (
        Destination,
        {
            "same_zone": Key(kinds.only_true(SAME_ZONE), "", "A promise, not a setting: true is the only value (B2)."),
            "headroom": Key(
                kinds.share(below=1.0), "headroom", "Share of the threads that stays free of demand after the move."
            ),
            "caution": Key(
                kinds.number(most=10.0),
                "caution",
                "Standard deviations added to mean demand when steal is projected.",
            ),
            "memory_headroom": Key(kinds.share(below=1.0), "memory_headroom", "Share of memory that stays free."),
            "max_steal": Key(
                kinds.share(below=1.0), "max_steal", "A host whose worst server has more steal receives nothing (B2)."
            ),
            "spread_roles": Key(
                kinds.flag(),
                "spread_roles",
                "Never onto a host with as many of the role as the source (B2).",
            ),
            "runners_up": Key(
                kinds.whole(most=100), "runners_up", "Losing hosts that a plan names, each with the reason."
            ),
        },
    ),
    "roles": (
        Roles,
        {
            "metadata_key": Key(
                kinds.or_none(kinds.text("role"), ""), "metadata_key", "First: the server's metadata under this key."
            ),
            "server_group": Key(kinds.flag(), "server_group", "Second: the name of its anti-affinity server group."),
            "name_pattern": Key(
                kinds.or_none(kinds.regex()),
                "name_pattern",
                "Third: the group `role` of this regular expression on the server's name, or its whole match.",
            ),
        },
    ),
    "exclude": (
        Exclude,
        {
            "servers": Key(kinds.texts('"legacy-*"'), "servers", "Shell patterns on names or ids: never moved."),
            "hosts": Key(kinds.texts('"gpu-*"'), "hosts", "Shell patterns on names: neither source nor destination."),
            "roles": Key(kinds.texts("db"), "roles", "Roles that are never moved."),
            "projects": Key(kinds.texts("billing"), "projects", "Projects whose servers are never moved."),
            "pin_metadata_key": Key(
                kinds.or_none(kinds.text("watari:pin"), ""),
                "pin_metadata_key",
                "Servers with this metadata key stay.",
            ),
        },
    ),
    "calm": (
        Calm,
        {
            "cool_down": Key(kinds.seconds(), "cool_down_s", "After a move a server stays put for so long."),
            "no_return": Key(kinds.seconds(), "no_return_s", "It does not go back to a host it left; 0 s: it may."),
            "cycle_moves": Key(kinds.whole(least=1), "cycle_moves", "So many moves within …"),
            "cycle_window": Key(
                kinds.seconds(above=0.0), "cycle_window_s", "… this time: it is left alone and a finding says so."
            ),
            "failed_cool_down": Key(
                kinds.seconds(), "failed_cool_down_s", "After a failed move it stays put for so long."
            ),
            "no_help_cool_down": Key(
                kinds.seconds(), "no_help_cool_down_s", "After a move that did not help it stays put for so long."
            ),
        },
    ),
    "budgets": (
        Budgets,
        {
            "total": Key(kinds.whole(least=1), "total", "Moves at once in the cloud (B6)."),
            "per_host_out": Key(kinds.whole(least=1), "per_host_out", "Moves at once away from one host."),
            "per_host_in": Key(kinds.whole(least=1), "per_host_in", "Moves at once to one host."),
            "per_zone": Key(kinds.whole(least=1), "per_zone", "Moves at once in one zone."),
            "per_role": Key(kinds.whole(least=1), "per_role", "Servers of one role on the move at once."),
            "per_plan": Key(kinds.or_none(kinds.whole(least=1)), "per_plan", "Moves in one plan; none: all it needs."),
            "move": Key(kinds.or_none(kinds.rate()), "move_mib_s", "Bandwidth of one move."),
            "link": Key(
                kinds.or_none(kinds.rate()), "link_mib_s", "Bandwidth of all moves on one host's link together (B6)."
            ),
            "total_bandwidth": Key(kinds.or_none(kinds.rate()), "total_mib_s", "Bandwidth of all moves together."),
            "quiet": Key(windows.quiet_windows(), "quiet", "Windows of the day in which no move starts."),
            "peaks": Key(
                windows.peak_windows(),
                "peaks",
                "Windows in which the budgets shrink to `moves` and `bandwidth` (B6).",
            ),
            "stalled_after": Key(
                kinds.seconds(above=0.0), "stalled_after_s", "A move without progress for so long is stopped."
            ),
            "deadline": Key(
                kinds.seconds(above=0.0), "deadline_s", "A move that takes longer is stopped, whatever its progress."
            ),
        },
    ),
    "weights": (
        Weights,
        {
            "steal": Key(kinds.number(), "steal", "Per 100 % of projected steal there."),
            "same_role": Key(kinds.number(), "same_role", "Per server of the role already there (B2)."),
            "cpu": Key(kinds.number(), "cpu", "Per 100 % of projected CPU demand over threads."),
            "memory": Key(kinds.number(), "memory", "Per 100 % of memory in use after the move."),
            "gib": Key(kinds.number(), "gib", "Choice of the server to move: per GiB that has to be copied (B6)."),
        },
    ),
    "look_ahead": (
        LookAhead,
        {
            "horizon": Key(
                kinds.seconds(most=86400.0),
                "horizon_s",
                "How far ahead the learned daily shape is read; 0 s: off.",
            ),
            "slot": Key(kinds.slot(), "slot_s", "The daily shape is learned in pieces of this length."),
            "over": Key(
                kinds.share(above=0.0, most=4.0),
                "over",
                "Act when forecast demand is over this share of the threads.",
            ),
        },
    ),
    "drain": (
        Drain,
        {
            "stopped": Key(
                kinds.choice("cold", "leave"), "stopped", "Servers that are off: moved cold, or left where they are."
            ),
            "pinned": Key(
                kinds.choice("cold", "leave"),
                "pinned",
                "Servers that run and cannot move live: left, or moved cold, which stops them for a while.",
            ),
            "wish_metadata_key": Key(
                kinds.or_none(kinds.text("watari:drain"), ""),
                "wish_metadata_key",
                "A server's metadata under this key says how it leaves: live, cold or leave.",
            ),
            "largest_local_disk": Key(
                kinds.or_none(kinds.size()),
                "largest_local_disk_gib",
                "Servers with a larger local disk stay; none: all are copied.",
            ),
            "crowd_roles": Key(
                kinds.flag(),
                "crowd_roles",
                "Where no other host takes a server, one with as many of its role as the source may.",
            ),
            "allow_steal": Key(
                kinds.flag(), "allow_steal", "Where no other host takes a server, one that is short of CPU may."
            ),
            "storage_check": Key(
                kinds.texts('/usr/local/bin/may-stop, "{host}"'),
                "storage_check",
                "A command that is asked first: exit code 0 means that the disks of {host} may go away.",
            ),
        },
    ),
    "orchestration": (
        Orchestration,
        {
            "detach_deadline": Key(
                kinds.seconds(above=0.0),
                "detach_deadline_s",
                "A server that its orchestrator has not emptied by then goes back, and does not move (B3).",
            ),
            "attach_deadline": Key(
                kinds.seconds(above=0.0),
                "attach_deadline_s",
                "A server that its orchestrator does not use again by then is a failure, and the loudest there is.",
            ),
            "at_once": Key(
                kinds.whole(least=1), "at_once", "Members of one orchestrator that are out of service at once."
            ),
        },
    ),
    "copying": (
        Copying,
        {
            "max_downtime": Key(
                kinds.seconds(above=0.0, most=60.0),
                "max_downtime_s",
                "The pause of a guest at the end of its move (B4).",
            ),
            "auto_converge": Key(
                kinds.flag(), "auto_converge", "A guest that writes faster than is copied is slowed down."
            ),
            "post_copy_after": Key(
                kinds.or_none(kinds.seconds(above=0.0)),
                "post_copy_after_s",
                "A move that takes longer is switched over, and the rest follows; none: never.",
            ),
        },
    ),
    "serve": (
        Serve,
        {
            "every": Key(kinds.seconds(above=0.0), "every_s", "From one look at the cloud to the next."),
            "balance": Key(
                kinds.choice("off", "observe", "suggest", "approve", "automatic"),
                "balance",
                "Against starved servers: nothing; measured and said; plans to look at; carried out once a person "
                "agrees; carried out (B5).",
            ),
            "history": Key(
                kinds.or_none(kinds.seconds(least=3600.0)),
                "history_s",
                "How long loads and places are kept for `watari replay --history`; none: not at all.",
            ),
        },
    ),
}
