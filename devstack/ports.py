"""Ports to listen on."""

import errno
import itertools
import socket

from devstack.console import DevError

LAST_PORT = 65_535


def free_port() -> int:
    """Return a port on which nobody listens on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether `localhost` at the port would be us, over IPv4 and IPv6."""
    return all(
        _can_bind(family, host, port)
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    )


def next_free(wanted: int) -> int:
    """Return the wanted port, or the next one above it that is free. Raises DevError."""
    for port in itertools.takewhile(lambda port: port <= LAST_PORT, itertools.count(wanted)):
        if is_free(port):
            return port
    raise DevError(f"No port from {wanted} upwards is free.")


def _can_bind(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            # As the web server does: connections that are just closing do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        # A machine without IPv6 (EADDRNOTAVAIL, EAFNOSUPPORT) has nobody listening there either.
        return error.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True
