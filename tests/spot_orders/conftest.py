from collections.abc import Iterator

import pytest
from django.db import connection

from core import books
from spot_orders.queries import audit


@pytest.fixture(autouse=True)
def orders_are_sound(request: pytest.FixtureRequest, _django_db_marker: None) -> Iterator[None]:
    """Audit the orders after each test that stores some, unless it broke them on purpose.

    Only by this room's own checks: an order that is paid here has no money and no invoice.
    """
    yield
    node = request.node
    if (
        node.get_closest_marker("django_db") is None
        or node.get_closest_marker("unsound_books") is not None
        or connection.needs_rollback
    ):
        return
    assert [str(breach) for breach in books.breaches(among=audit.CHECKS)] == []
