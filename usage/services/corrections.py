"""Which staged corrections hold: each replaces one event that is there, and that none replaced before."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from usage import rules
from usage.rules import Refused


class _Correction(NamedTuple):
    """`is_known`: what it names is stored or staged, for its meter; `after`: the staged correction
    that it names, which must hold first; `taken_by`: what corrected the same event before."""

    row: int
    organisation_id: int
    day: date
    corrects: str
    event_id: str
    is_known: bool
    after: int | None
    taken_by: str | None

    @property
    def target(self) -> tuple[int, date, str]:
        return self.organisation_id, self.day, self.corrects


def refused(cursor: CursorWrapper, days: Sequence[date]) -> list[Refused]:
    """Return the staged corrections that do not hold, and why.

    A correction may name an event of its own batch, also one that is a correction itself.
    Rule: B-05.
    """
    cursor.execute(
        """
        SELECT s.row, s.organisation_id, s.day, s.corrects, s.event_id,
               COALESCE(e.meter_id, t.meter_id) IS NOT DISTINCT FROM s.meter_id,
               CASE WHEN e.meter_id IS NULL AND t.corrects IS NOT NULL THEN t.row END,
               c.event_id
        FROM usage_staged s
        LEFT JOIN LATERAL (
            SELECT e.meter_id FROM usage_event e
            WHERE e.organisation_id = s.organisation_id AND e.event_id = s.corrects
              AND e.day = s.day AND e.day = ANY(%(days)s) LIMIT 1) e ON true
        LEFT JOIN LATERAL (
            SELECT c.event_id FROM usage_event c
            WHERE c.organisation_id = s.organisation_id AND c.corrects = s.corrects
              AND c.day = s.day AND c.day = ANY(%(days)s) LIMIT 1) c ON true
        LEFT JOIN usage_staged t ON t.organisation_id = s.organisation_id
            AND t.event_id = s.corrects AND t.day = s.day AND t.fault IS NULL
        WHERE s.corrects IS NOT NULL AND s.fault IS NULL
        ORDER BY s.row
        """,
        {"days": list(days)},
    )
    return _not_holding([_Correction(*row) for row in cursor.fetchall()])


def _not_holding(corrections: Iterable[_Correction]) -> list[Refused]:
    ready: deque[_Correction] = deque()
    waiting: dict[int, list[_Correction]] = defaultdict(list)
    found: list[Refused] = []
    for one in corrections:
        if one.taken_by is not None:
            found.append(rules.refused(one.row, "corrected_before", one.taken_by))
        elif not one.is_known:
            found.append(rules.refused(one.row, "corrects_unknown", one.corrects))
        elif one.after is not None:
            waiting[one.after].append(one)
        else:
            ready.append(one)

    corrected: dict[tuple[int, date, str], str] = {}
    while ready:
        one = ready.popleft()
        if one.target in corrected:
            found.append(rules.refused(one.row, "corrected_before", corrected[one.target]))
            continue
        corrected[one.target] = one.event_id
        ready.extend(waiting.pop(one.row, ()))
    # What still waits names one that was refused, or itself in a circle.
    found.extend(
        rules.refused(one.row, "corrects_unknown", one.corrects)
        for stuck in waiting.values()
        for one in stuck
    )
    return found
