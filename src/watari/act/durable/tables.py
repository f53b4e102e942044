"""Watari's own tables. DBOS keeps its queue beside them, in tables of its own."""

import sqlalchemy as sa

metadata = sa.MetaData()

plans = sa.Table(
    "watari_plans",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("job", sa.String, nullable=False),
    sa.Column("cloud", sa.String, nullable=False),
    sa.Column("made_at", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),  # the plan file
)

runs = sa.Table(
    "watari_runs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("plan_id", sa.String, nullable=False, index=True),
    sa.Column("job", sa.String, nullable=False),
    sa.Column("cloud", sa.String, nullable=False, index=True),  # the name that workers open it by
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("ended_at", sa.String),  # once every operation is over
    sa.Column("policy_source", sa.String, nullable=False),
    sa.Column("policy_text", sa.Text, nullable=False),
    sa.Column("stopping", sa.Boolean, nullable=False),  # begin nothing new
    sa.Column("cancelled", sa.Boolean, nullable=False),  # and stop what is under way
    sa.Column("epoch", sa.Integer, nullable=False),  # how often it was submitted or resumed
    sa.Column("starved_before", sa.Integer),
    sa.Column("starved_after", sa.Integer),
)

operations = sa.Table(
    "watari_operations",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),  # place in the plan
    sa.Column("cloud", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("waits", sa.String, nullable=False),
    sa.Column("owner", sa.String),  # executor that carries it out
    sa.Column("holding", sa.Boolean, nullable=False),  # it takes its places in the budgets now
    sa.Column("source", sa.String, nullable=False),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("zone", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("rate_mib_s", sa.Float, nullable=False),
    sa.Column("orchestrators", sa.String, nullable=False),  # that have a member less meanwhile, joined by commas
    sa.Column("steps", sa.Text, nullable=False),  # step records as JSON
    sa.Column("changed", sa.Float, nullable=False),  # when, by the database's clock: a view reads only what is new
    sa.Index("watari_operations_holding", "cloud", "holding"),
)

entries = sa.Table(
    "watari_entries",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False, index=True),
    sa.Column("operation", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("executor", sa.String, nullable=False),
)

leases = sa.Table(
    "watari_leases",
    metadata,
    sa.Column("executor", sa.String, primary_key=True),
    sa.Column("renewed", sa.Float, nullable=False),  # seconds since 1970 by the database's clock
    sa.Column("about", sa.String, nullable=False),  # host and pid, for people
)

benefits = sa.Table(
    "watari_benefits",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("operation", sa.String, primary_key=True),
    sa.Column("cloud", sa.String, nullable=False, index=True),
    sa.Column("server", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("moved_at", sa.String, nullable=False),
    sa.Column("measured_at", sa.String, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the measurement as JSON
)

proposals = sa.Table(
    "watari_proposals",
    metadata,
    sa.Column("id", sa.String, primary_key=True),  # its plan's
    sa.Column("cloud", sa.String, nullable=False),
    sa.Column("job", sa.String, nullable=False),
    sa.Column("mode", sa.String, nullable=False),  # of the job when it was made
    sa.Column("made_at", sa.String, nullable=False),
    sa.Column("expires_at", sa.String, nullable=False),
    sa.Column("operations", sa.Integer, nullable=False),
    sa.Column("subjects", sa.Text, nullable=False),  # whom its operations are about, as a JSON list
    sa.Column("starved", sa.Integer),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("why", sa.Text, nullable=False),  # of the state
    sa.Column("decided_by", sa.String, nullable=False),
    sa.Column("decided_at", sa.String),
    sa.Column("run_id", sa.String, index=True),
    sa.Column("policy_source", sa.String, nullable=False),
    sa.Column("policy_text", sa.Text, nullable=False),
    sa.Index("watari_proposals_standing", "cloud", "state"),
)

controllers = sa.Table(
    "watari_controllers",
    metadata,
    sa.Column("cloud", sa.String, primary_key=True),
    sa.Column("executor", sa.String, nullable=False),  # whose lease proves that it is alive
    sa.Column("about", sa.String, nullable=False),  # host and pid, for people
    sa.Column("looked", sa.Float),  # when it last looked at the cloud, seconds since 1970 by the database's clock
    sa.Column("body", sa.Text, nullable=False),  # what it saw, as JSON
)

memories = sa.Table(
    "watari_memories",
    metadata,
    sa.Column("cloud", sa.String, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # what the balancer of this cloud remembers
)

history = sa.Table(
    "watari_history",
    metadata,
    sa.Column("cloud", sa.String, primary_key=True),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),  # of its window, seconds since 1970, UTC
    sa.Column("first", sa.BigInteger, nullable=False),  # of its slots
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("servers", sa.Integer, nullable=False),  # the most in one slot
    sa.Column("body", sa.LargeBinary, nullable=False),
)

history_slots = sa.Table(
    "watari_history_slots",  # those of the window that is not over
    metadata,
    sa.Column("cloud", sa.String, primary_key=True),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("servers", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

history_items = sa.Table(
    "watari_history_items",
    metadata,
    sa.Column("cloud", sa.String, primary_key=True),
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),  # number of the first item in it
    sa.Column("body", sa.LargeBinary, nullable=False),
)

stops = sa.Table(
    "watari_stops",
    metadata,
    sa.Column("cloud", sa.String, primary_key=True),  # empty: every cloud
    sa.Column("stopped_by", sa.String, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("at", sa.String, nullable=False),
)

audit = sa.Table(
    "watari_audit",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    *(
        sa.Column(name, sa.Text, nullable=False)
        for name in ("at", "by", "via", "address", "action", "cloud", "subject", "why", "outcome")
    ),
)

notices = sa.Table(
    "watari_notices",
    metadata,
    sa.Column("target", sa.String, primary_key=True),  # the name of a target of notifications
    sa.Column("cloud", sa.String, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),  # what it was told, as JSON
)

messages = sa.Table(
    "watari_messages",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("cloud", sa.String, nullable=False),
    sa.Column("made", sa.Float, nullable=False),  # seconds since 1970 by the database's clock
    sa.Column("body", sa.Text, nullable=False),  # as JSON; once it has arrived the row is gone
    sa.Index("watari_messages_waiting", "target", "made"),
)
