"""Why a server can never be moved live, read from its flavor's extra specs."""

import re
from collections.abc import Mapping

VGPU = re.compile(r"resources\d*(_\w+)?:VGPU")


def pinned_by(specs: Mapping[str, str], numa: bool) -> str:
    """What holds the server where it is, in words; empty if nothing that its flavor shows.

    `numa`: this Nova moves NUMA topologies (2.79, Train, and newer). Ports with SR-IOV or vDPA and Manila shares are
    not in the flavor: those moves Nova itself refuses.
    """
    if alias := specs.get("pci_passthrough:alias"):
        return f"a PCI device ({alias}): its state cannot be copied"
    if any(VGPU.fullmatch(key) for key in specs):
        return "a vGPU: its state can be copied only with newer drivers than Nova tells of"
    if device := specs.get("accel:device_profile"):
        return f"an accelerator ({device}): Nova refuses to move it live"
    if specs.get("hw:mem_encryption", "").lower() in ("true", "1", "yes", "on"):
        return "encrypted memory (hw:mem_encryption): nobody outside the host can read it"
    # nova.compute.api.reject_legacy_vtpm_live_migration: only the secret security `host` travels with the server.
    if "hw:tpm_version" in specs and specs.get("hw:tpm_secret_security", "user") != "host":
        return "a vTPM whose secret stays with its user (hw:tpm_version)"
    if not numa and (topology := next((key for key in sorted(specs) if _numa(key, specs[key])), None)):
        return f"a NUMA topology ({topology}): Nova moves those only from Train on"
    if not numa and "hw:pmem" in specs:
        return "persistent memory (hw:pmem): Nova moves it only from Ussuri on"
    return ""


def _numa(key: str, value: str) -> bool:
    return key in ("hw:numa_nodes", "hw:mem_page_size") or (key == "hw:cpu_policy" and value == "dedicated")
