"""How servers share their hosts' threads: fluid proportional share, on arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Contention:
    """What every server got of its host. First three per server, last two per host.

    `steal`: share (0-1) of one vCPU's time that was wanted and not run, mean over the vCPUs. `load_per_vcpu`: the work
    that runs or waits, per vCPU. `got`: cores. `host_demand`: cores asked for, migrations included. `sigma`: the share
    (0-1) of all demand that the host could not serve.
    """

    steal: FloatArray
    load_per_vcpu: FloatArray
    got: FloatArray
    host_demand: FloatArray
    sigma: FloatArray


def contend(
    cores: FloatArray, vcpus: FloatArray, host_of: IntArray, capacity: FloatArray, extra: FloatArray
) -> Contention:
    """Serve all demand of a host by the same share when it is over the host's capacity.

    `cores` (demand), `vcpus`, `host_of` (index into the hosts) have one entry per server; `capacity` (threads, over 0)
    and `extra` (cores that the host itself needs, e.g. to copy memory) one per host. On every host the cores got,
    with `extra`'s part, add up to min(capacity, demand). Proportional share is what equal weights of a fair scheduler
    give runnable vCPUs; a server that is served at 1 - sigma takes 1 / (1 - sigma) times as long for its work, so
    that much more of it is queued.
    """
    demand = np.bincount(host_of, weights=cores, minlength=capacity.size) + extra
    sigma = 1.0 - capacity / np.maximum(demand, capacity)
    lack = sigma[host_of]
    served = 1.0 - lack
    busy = cores / vcpus
    return Contention(
        steal=lack * busy, load_per_vcpu=busy / served, got=cores * served, host_demand=demand, sigma=sigma
    )
