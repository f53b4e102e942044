"""Give an opened cloud the meters that its section lists."""

from collections.abc import Mapping
from typing import Any, Final

from watari.app.clouds import Cloud, recalling
from watari.drivers.gauges import Surroundings, open_gauges, read_rule
from watari.jobs.placement.world import NOT_RUNNING
from watari.model.compute import Server, ServerId
from watari.observe.meters import Meters

KNOWN_S: Final = 300.0  # meters find servers by names and hosts of a reading that may be so old


def with_meters(cloud: Cloud, sections: object, rule: object, where: str, hosts: Any = None) -> Cloud:
    """The same cloud, measured; nothing is asked of the meters yet. `hosts`: the connections of a libvirt cloud.

    Raises BadInput for what is wrong in the list or the rule.
    """

    def servers() -> Mapping[ServerId, Server]:
        return cloud.inventory(KNOWN_S).servers

    def off(id: ServerId) -> bool:
        server = servers().get(id)
        return server is not None and server.status in NOT_RUNNING

    around = Surroundings(cloud.clock, where, servers, hosts)
    meters = Meters(open_gauges(sections, around), read_rule(rule, f"{where}.meters_rule"), cloud.clock, off)

    cloud.meter, cloud.settle_s, cloud.recall = meters, meters.settle_s, recalling(cloud.name)
    cloud.missing = lambda: meters.findings
    return cloud
