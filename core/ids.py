"""Many ids for one statement."""

from collections.abc import Iterable


def array(ids: Iterable[int]) -> str:
    """Return ids as a database array's text, for `%(ids)s::bigint[]`.

    The driver writes a list element by element, at the cost of reading what it asks for.
    """
    return f"{{{','.join(map(str, ids))}}}"
