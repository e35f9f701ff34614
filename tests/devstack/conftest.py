from collections.abc import Iterator

import pytest

from devstack import places
from devstack.places import State


@pytest.fixture
def state() -> Iterator[State]:
    """Files for real servers, removed after the test."""
    with places.throwaway_state("devstack-tests") as state:
        yield state
