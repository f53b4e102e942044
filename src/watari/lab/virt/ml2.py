"""A driver for Neutron's ML2 that binds every port on every host, as there are no agents that could."""

# mypy: disable-error-code="import-not-found, misc"

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api


class LabMechanismDriver(api.MechanismDriver):
    """Ports become `ovs` (Nova takes no `bridge` any more) and ACTIVE where their server is."""

    def initialize(self) -> None:
        """Nothing to prepare."""

    @property
    def connectivity(self) -> Any:
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context: Any) -> None:
        for segment in context.segments_to_bind:
            details = {portbindings.CAP_PORT_FILTER: False}
            status = constants.PORT_STATUS_ACTIVE
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, details, status=status)
            return

    def update_port_postcommit(self, context: Any) -> None:
        """A live migration leaves the port DOWN until an agent on the new host reports it."""
        port = context.current
        bound = port.get(portbindings.VIF_TYPE) == portbindings.VIF_TYPE_OVS and context.host
        if bound and port["device_id"] and port["status"] == constants.PORT_STATUS_DOWN:
            directory.get_plugin().update_port_status(
                context.plugin_context, port["id"], constants.PORT_STATUS_ACTIVE, context.host
            )
