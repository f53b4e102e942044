"""What a person should look at in the made-up cloud."""

from watari.web.api import models as m

FINDINGS = [
    m.Finding(
        cloud="tokyo-1",
        severity="warning",
        subject="az3-h09",
        code="blind",
        text="sends no steal data for 6 min",
        help="Check watari-exporter on the host: systemctl status watari-exporter.",
    ),
    m.Finding(
        cloud="tokyo-1",
        severity="error",
        subject="web-0107",
        code="left-out",
        text="is out of service: HAProxy does not use it since 14:02",
        help="Put it back with watari members attach web-0107 --cloud tokyo-1.",
    ),
    m.Finding(
        cloud="tokyo-1",
        severity="info",
        subject="tokyo-1",
        code="shared-network",
        text="live moves share a network with tenants' tunnels",
        help="Say own_network: true in the cloud's section of clouds.yaml if they do not.",
    ),
]
