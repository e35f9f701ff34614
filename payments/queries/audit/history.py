"""I10: every state was reached by allowed moves, one after the other, and is the last one noted."""

from collections.abc import Mapping
from typing import TypeVar

from core.books import Check, by_sql
from payments.enums import CHARGE_MOVES, METHOD_MOVES, REFUND_MOVES

State = TypeVar("State", bound=str)


def _history(
    subject: str, table: str, moves: Mapping[State, frozenset[State]], begins: tuple[str, ...]
) -> Check:
    """Return the check of one kind of row. `begins`: the states in which one may be stored."""
    pairs = sorted((before, after) for before, to in moves.items() for after in to)
    allowed = ", ".join(
        f"('{before}', '{after}')" for before, after in [*(("", each) for each in begins), *pairs]
    )
    return by_sql(
        "I10",
        f"the history of a {subject} is not one of allowed moves up to its state",
        f"""
        WITH moves AS (
            SELECT subject_id, id, before, after,
                   lag(after, 1, '') OVER history AS was,
                   lead(id) OVER history IS NULL AS is_last
            FROM payments_transition WHERE subject = '{subject}'
            WINDOW history AS (PARTITION BY subject_id ORDER BY id)
        )
        SELECT s.id AS {subject}, s.organisation_id AS organisation, s.state,
               m.id AS transition, m.before, m.after
        FROM {table} s LEFT JOIN moves m ON m.subject_id = s.id
        WHERE s.created_at >= %(since)s AND (
            m.id IS NULL OR m.before <> m.was OR (m.before, m.after) NOT IN ({allowed})
            OR (m.is_last AND m.after <> s.state))
        ORDER BY 1, 4
        """,  # noqa: S608
    )


HISTORY = (
    _history("charge", "payments_charge", CHARGE_MOVES, ("prepared",)),
    _history("refund", "payments_refund", REFUND_MOVES, ("prepared",)),
    # A payer who approved too late is stored only to be forgotten.
    _history("method", "payments_paymentmethod", METHOD_MOVES, ("registering", "detached")),
)
