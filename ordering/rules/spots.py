"""When a spot order that the contract allows is refused all the same. Pure. Rule: S1-24, S2-23, B-14."""

from ordering.rules.guards import Circumstances, Closed, NoMethod, Overdue
from plans.rules.timeline import Refusal


class NotAgreed(Refusal):
    """The terms of use were not agreed to. Rule: S2-23."""


class OtherTerms(Refusal):
    """The terms of use that were shown hold no longer: there is a newer version. Rule: S2-23."""


class SeveralTaxes(Refusal):
    """Its months bear different taxes, and one order bears one."""


def check(circumstances: Circumstances) -> None:
    """Refuse any spot order as an organisation stands. Rule: S1-24, S2-25, B-14.

    Raises Closed, Overdue, NoMethod.
    """
    check_customer(circumstances)
    if circumstances.is_overdue:
        raise Overdue
    if not circumstances.has_method:
        raise NoMethod(circumstances.reviewing)


def check_customer(circumstances: Circumstances) -> None:
    """Refuse what would be sold to who is no customer any more. Raises Closed."""
    if circumstances.is_closed:
        raise Closed


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
