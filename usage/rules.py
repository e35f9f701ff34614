"""What is said of events that are not taken: a code for programs, a sentence for people."""

from dataclasses import dataclass

# Every sentence may name the value that was given; it is filled in, quoted and cut, by `refused`.
_SENTENCES = {
    "row_not_json": "{given}",
    "row_wrong": "This is not an event: an event is an object.",
    "row_cut": "This line has too few or too many fields.",
    "key_unknown": "An event has no field {given}.",
    "key_twice": "The field {given} comes twice.",
    "type_wrong": "The field {given} is of the wrong type: it is text, a quantity may be a number.",
    "text_wrong": "The field {given} holds characters that are no text.",
    "unit_unknown": "No meter of the catalogue takes in the consumed unit {given}.",
    "organisation_missing": "The organisation is missing.",
    "organisation_unknown": "There is no organisation {given}.",
    "organisation_not_yours": "This key is not for organisation {given}.",
    "event_id_missing": "The event_id is missing.",
    "event_id_wrong": "The event_id {given} is not 1 to 64 printable ASCII characters"
    " without blanks at its ends.",
    "meter_missing": "The meter is missing.",
    "meter_unknown": "There is no meter {given}.",
    "occurred_at_missing": "The time occurred_at is missing.",
    "occurred_at_without_zone": "The time {given} has no zone: end it with Z or with +09:00.",
    "occurred_at_wrong": "The time {given} is not one like 2026-11-30T23:59:59.999999+09:00.",
    "occurred_at_ahead": "The time {given} lies too far ahead.",
    "occurred_at_too_old": "The time {given} lies too far back.",
    "occurred_at_before_customer": "At {given} the organisation was no customer yet.",
    "occurred_at_after_end": "At {given} the organisation was no customer any more.",
    "quantity_missing": "The quantity is missing.",
    "quantity_wrong": "The quantity {given} is not a decimal number like -12.5.",
    "quantity_too_large": "The quantity {given} has more than 15 digits before the point.",
    "quantity_too_fine": "The quantity {given} has more than 15 decimals.",
    "quantity_negative": "The quantity {given} is negative: only a meter that is summed up can fall."
    " Correct an event of this meter by one that names it in `corrects`.",
    "corrects_wrong": "The event to correct, {given}, is not an event_id.",
    "corrects_a_sum": "This meter is summed up: correct it by a negative quantity, not by naming"
    " {given}.",
    "corrects_unknown": "There is no event {given} of this organisation, meter and day to correct.",
    "corrected_before": "The event to correct was corrected before, by {given}.",
    "another_body": "The event was taken before with another {given}.",
    "another_body_in_batch": "The event comes twice in this batch, with another {given}.",
}
CONFLICTS = frozenset({"corrected_before", "another_body", "another_body_in_batch"})
_NOT_QUOTED = frozenset({"another_body", "another_body_in_batch", "row_not_json"})
GIVEN_SHOWN = 80


@dataclass(frozen=True, slots=True, order=True)
class Refused:
    """An event that was not taken. `row`: its number, as the sender counts; `code`: for programs."""

    row: int
    code: str
    reason: str


def refused(row: int, code: str, given: str | None = None) -> Refused:
    """Return why the event in `row` was not taken, with the value that was given for it."""
    shown = given or ""
    if code not in _NOT_QUOTED:
        cut = shown if len(shown) <= GIVEN_SHOWN else shown[:GIVEN_SHOWN] + "…"
        shown = repr(cut)
    return Refused(row, code, _SENTENCES[code].format(given=shown))
