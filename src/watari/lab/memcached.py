"""memcached: tokens that were checked already."""

import os

from watari.lab.place import Place
from watari.lab.unit import Unit, listens


def memcached_unit(place: Place) -> Unit:
    port = place.spec.port("memcached")
    account = ("-u", "root") if os.geteuid() == 0 else ()
    argv = ("memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "64", *account)
    return Unit("memcached", argv, place.environment(), port, listens(port))
