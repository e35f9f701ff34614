from collections.abc import Iterator

import pytest

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import Merchant


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def merchant(sandbox: Sandbox) -> Merchant:
    return Merchant(sandbox)
