"""The payment companies' stand-in, and the books after each test."""

from collections.abc import Iterator

import pytest
from django.db import connection

from core import books
from tests.payments.conftest import sandbox

__all__ = ["sandbox"]


@pytest.fixture(autouse=True)
def everything_is_sound(request: pytest.FixtureRequest, _django_db_marker: None) -> Iterator[None]:
    """Audit the books after each test that stores, unless it broke them on purpose."""
    yield
    node = request.node
    if (
        node.get_closest_marker("django_db") is None
        or node.get_closest_marker("unsound_books") is not None
        or connection.needs_rollback
    ):
        return
    assert [str(breach) for breach in books.breaches()] == []
