"""The PromQL of every quantity: presets for the exporters in use, placeholders, and one query for all servers.

Each quantity may be had from two sides: the `host` (a libvirt exporter) and the `guest` (a node exporter inside). Both
are asked for in one query and told apart by a label, so that a cycle takes as many queries as there are quantities.
"""

from collections.abc import Mapping
from string import Template
from typing import Final, Literal

Side = Literal["host", "guest"]
Quantity = Literal["seen", "used", "waited", "vcpus", "load", "last"]
Expressions = Mapping[Side, Mapping[Quantity, str]]

SIDES: Final[tuple[Side, ...]] = ("host", "guest")
QUANTITIES: Final[tuple[Quantity, ...]] = ("seen", "used", "waited", "vcpus", "load", "last")
SIDE_LABEL: Final = "watari_side"
PLACEHOLDERS: Final = ("window", "seconds", "lookback", "server", "guest", "instance", "minutes", "match")

# A series counts while it covers the whole window: it was there when the window began, and its newest sample is not
# older than one and a half of its own intervals. `rate` divides by the whole window what it finds in a part of it, so a
# server that has just booted, moved or gone silent would seem to ask for a fraction of what it asks for.
_WHOLE: Final = """\
timestamp({series}) > time() - 1.5 * $seconds / count_over_time({series}[$window])
{pad}and {series} offset $window"""

_SEEN: Final = """\
max by ($server) (
  {whole}
)
unless on ($server) (
  count by ($server) (count_over_time({series}[$window])) > count by ($server) ({series})
)"""


def _seen(series: str) -> str:
    """Servers with a whole window, but none of which another series ended inside it: that one has just moved."""
    return _SEEN.format(series=series, whole=_WHOLE.format(series=series, pad="  "))


_LAST: Final = "max by ({label}) (max_over_time(timestamp({series})[$lookback:1m]))"

_CPU_TIME: Final = "libvirt_domain_info_cpu_time_seconds_total{$match}"
_DELAY: Final = "libvirt_domain_vcpu_delay_seconds_total{$match}"
_VCPUS: Final = "libvirt_domain_info_virtual_cpus{$match}"

_BY_UUID: Final[Mapping[Quantity, str]] = {
    "seen": _seen(_CPU_TIME),
    "used": f"max by ($server) (rate({_CPU_TIME}[$window]))",
    "waited": f"""\
max by ($server) (
  sum by ($instance, $server) (
    max by ($instance, $server, vcpu) (rate({_DELAY}[$window]))
  )
)""",
    "vcpus": f"max by ($server) ({_VCPUS})",
    "last": _LAST.format(label="$server", series=_CPU_TIME),
}


def _joined(meta: str) -> Mapping[Quantity, str]:
    """For exporters that name the server's id only in `meta`; domains' names are unique on one host alone."""
    join = f"* on ($instance, domain) group_left ($server) group by ($instance, domain, $server) ({meta})"
    domains = f"group by ($instance, domain, $server) ({meta})"
    within = f"group by ($instance, domain, $server) (count_over_time({meta}[$window]))"
    return {
        "seen": f"""\
max by ($server) (
  max by ($instance, domain) (
    {_WHOLE.format(series=_CPU_TIME, pad="    ")}
  )
  {join}
)
unless on ($server) (
  count by ($server) ({within}) > count by ($server) ({domains})
)""",
        "used": f"""\
max by ($server) (
  max by ($instance, domain) (rate({_CPU_TIME}[$window]))
  {join}
)""",
        "waited": f"""\
max by ($server) (
  sum by ($instance, domain) (max by ($instance, domain, vcpu) (rate({_DELAY}[$window])))
  {join}
)""",
        "vcpus": f"""\
max by ($server) (
  max by ($instance, domain) ({_VCPUS})
  {join}
)""",
        "last": _LAST.format(label="$server", series=meta),
    }


_LIBVIRTD: Final[Mapping[Quantity, str]] = {  # nanoseconds, and no delay: steal has to come from the guests
    "seen": _seen("libvirtd_domain_cpu_time{$match}"),
    "used": "max by ($server) (rate(libvirtd_domain_cpu_time{$match}[$window])) / 1e9",
    "vcpus": """\
max by ($server) (
  count by ($instance, $server) (libvirtd_domain_vcpu_time{$match})
)""",
    "last": _LAST.format(label="$server", series="libvirtd_domain_cpu_time{$match}"),
}

_NODE_LOAD: Final = 'node_load1{$guest!="",$match}'


def _node_cpu(mode: str) -> str:
    """Cores in these modes. One guest may be scraped at several addresses: `max` counts it once."""
    series = f'node_cpu_seconds_total{{$guest!="",mode{mode},$match}}'
    return f"""\
sum by ($guest) (
  max by ($guest, cpu, mode) (rate({series}[$window]))
)"""


_NODE: Final[Mapping[Quantity, str]] = {
    "seen": f"""\
max by ($guest) (
  {_WHOLE.format(series=_NODE_LOAD, pad="  ")}
)""",
    "used": _node_cpu('=~"user|nice|system|irq|softirq"'),
    "waited": _node_cpu('="steal"'),
    "vcpus": """\
count by ($guest) (
  group by ($guest, cpu) (node_cpu_seconds_total{$guest!="",mode="idle",$match})
)""",
    "load": 'max by ($guest) (node_load$minutes{$guest!="",$match})',
    "last": _LAST.format(label="$guest", series=_NODE_LOAD),
}

PRESETS: Final[Mapping[str, Expressions]] = {
    "watari": {"host": _BY_UUID, "guest": _NODE},
    "libvirt": {"host": _joined('libvirt_domain_info_meta{$server!="",$match}'), "guest": _NODE},
    "kolla": {"host": _joined('libvirt_domain_openstack_info{$server!="",$match}'), "guest": _NODE},
    "vexxhost": {"host": _LIBVIRTD, "guest": _NODE},
    "guest": {"host": {}, "guest": _NODE},
}
SERVER_LABELS: Final[Mapping[str, str]] = {"kolla": "instance_id"}  # the others call it uuid


def unknown_placeholders(expression: str) -> list[str]:
    """Names after `$` that mean nothing here; `$1` and `$$` are left to PromQL."""
    return [name for name in Template(expression).get_identifiers() if name not in PLACEHOLDERS]


def fill(expression: str, values: Mapping[str, str]) -> str:
    """The expression as Prometheus gets it."""
    return Template(expression).safe_substitute(values)


def union(expressions: Mapping[Side, str]) -> str:
    """One query for both sides; every series says in `watari_side` where it is from."""
    tagged = (f'label_replace(\n{text},\n"{SIDE_LABEL}", "{side}", "", "")' for side, text in expressions.items())
    return "\nor\n".join(tagged)
