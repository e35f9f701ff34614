import socket

import pytest

from devstack import ports
from devstack.console import DevError


@pytest.mark.parametrize(
    ("family", "host"),
    [
        pytest.param(socket.AF_INET, "127.0.0.1", id="IPv4"),
        pytest.param(socket.AF_INET, "0.0.0.0", id="all of IPv4"),  # noqa: S104
        pytest.param(socket.AF_INET6, "::1", id="IPv6, which localhost may mean"),
    ],
)
def test_next_free_passes_over_a_port_on_which_somebody_listens(
    family: socket.AddressFamily, host: str
) -> None:
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]

        found = ports.next_free(port)

    assert found > port


def test_next_free_takes_the_wanted_port_when_it_can() -> None:
    wanted = ports.free_port()

    assert ports.next_free(wanted) == wanted


def test_next_free_says_so_when_there_is_none() -> None:
    with pytest.raises(DevError):
        ports.next_free(65_536)
