"""What Paid says to one transaction of a batch. A batch's SUCCESS says nothing of its items. Rule: F64."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from payments.gateways.paid import codes
from payments.gateways.paid.client import Answer, WrongShape, mapping, sequence, text


class Meaning(enum.StrEnum):
    """What the settings (`item_status`) and Paid's codes say that a word means."""

    OK = "ok"
    DUPLICATE = "duplicate"  # registered before under this key
    FIXED = "fixed"  # before
    CANCELLED = "cancelled"  # before
    NOT_FOUND = "not_found"
    DECLINED = "declined"
    NO_MEMBER = "no_member"
    MISCONFIGURED = "misconfigured"
    OURS = "ours"
    UNDECIDED = "undecided"  # nobody knows: no answer, or none that is understood


# What the settings may say that a word means; the rest follows from codes and lost answers.
TRANSLATIONS = frozenset(
    {
        Meaning.OK,
        Meaning.DUPLICATE,
        Meaning.FIXED,
        Meaning.CANCELLED,
        Meaning.NOT_FOUND,
        Meaning.DECLINED,
    }
)
_MEANT_BY = {
    codes.Fault.MISCONFIGURED: Meaning.MISCONFIGURED,
    codes.Fault.OURS: Meaning.OURS,
    codes.Fault.FORM: Meaning.OURS,
    codes.Fault.DUPLICATE: Meaning.DUPLICATE,
    codes.Fault.NO_SUCH_MEMBER: Meaning.NO_MEMBER,
    codes.Fault.THEIRS: Meaning.UNDECIDED,
    codes.Fault.UNKNOWN: Meaning.UNDECIDED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """The provider's `word` (or code) for a transaction, and what it means."""

    meaning: Meaning
    word: str
    retry_after: timedelta | None = None


def item_in(answer: Answer, *, key: str, words: Mapping[str, str]) -> Item:
    """Return what an answer says of the one transaction that was sent. Raises WrongShape.

    That something was done counts only inside a SUCCESS; a code weighs more than a word.
    """
    details = sequence(mapping(answer.body, "detailResults"), "detailResult")
    fault, code = codes.gravest(codes_in(answer))
    if code:
        return Item(_MEANT_BY[fault], code)
    if not details:
        return Item(Meaning.UNDECIDED, answer.status)
    if len(details) > 1:
        raise WrongShape("detailResult")

    detail = details[0]
    if isinstance(detail, dict) and detail.get("b2bCreditId", key) != key:
        raise WrongShape("b2bCreditId")
    word = text(detail, "status")
    meaning = _meaning(word, words)
    if meaning is Meaning.OK and not answer.is_success:
        return Item(Meaning.UNDECIDED, answer.status)
    return Item(meaning, word)


def codes_in(answer: Answer) -> list[str]:
    """Return the codes that an answer holds, wherever one was seen. Raises WrongShape."""
    found = list(_codes(mapping(answer.body, "result")))
    for each in sequence(mapping(answer.body, "results"), "errors"):
        found += _codes(each)
    for each in sequence(mapping(answer.body, "detailResults"), "detailResult"):
        found += _codes(each)
    return found


def _codes(container: object) -> Iterator[str]:
    if not isinstance(container, dict):
        raise WrongShape("error")
    told = container.get("error")
    if told is None:
        return
    for each in told if isinstance(told, list) else [told]:
        if not isinstance(each, str):
            raise WrongShape("error")
        yield each


def _meaning(word: str, words: Mapping[str, str]) -> Meaning:
    if word in words:
        return Meaning(words[word])
    return _MEANT_BY[codes.fault_of(word)]
