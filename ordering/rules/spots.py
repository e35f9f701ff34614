"""When a spot order that the contract allows is refused all the same. Pure. Rule: S1-24, S2-23, B-14."""

from datetime import date

from ordering.rules.guards import Circumstances, Closed, NoMethod, Overdue
from plans.rules.timeline import Refusal
from spot_orders.rules.spot import Wish


class NotAgreed(Refusal):
    """The terms of use were not agreed to. Rule: S2-23."""


class OtherTerms(Refusal):
    """The terms of use that were shown hold no longer: there is a newer version. Rule: S2-23."""


class BeyondClosing(Refusal):
    """It would run on when the organisation is no customer any more, from `closed_on` on."""

    def __init__(self, closed_on: date) -> None:
        super().__init__(closed_on)
        self.closed_on = closed_on


def check(circumstances: Circumstances, wish: Wish, *, closed_on: date | None) -> None:
    """Refuse what may not be ordered as an organisation stands.

    Raises Closed, Overdue, NoMethod, BeyondClosing. Rule: S1-24, S2-25, B-14.
    """
    check_standing(circumstances)
    if closed_on is not None and wish.end_on > closed_on:
        raise BeyondClosing(closed_on)


def check_standing(circumstances: Circumstances) -> None:
    """Refuse any spot order at all as an organisation stands. Raises Closed, Overdue, NoMethod."""
    if circumstances.is_closed:
        raise Closed
    if circumstances.is_overdue:
        raise Overdue
    if not circumstances.has_method:
        raise NoMethod(circumstances.reviewing)


def check_agreed(current: int | None, agreed: int | None) -> None:
    """Refuse what was not agreed to: the number of the terms of use, if there are any.

    Raises NotAgreed, OtherTerms. Rule: S2-23.
    """
    if current is None:
        return
    if agreed is None:
        raise NotAgreed
    if agreed != current:
        raise OtherTerms
