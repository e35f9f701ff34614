import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.forms import bodies
from usage.rules import Refused
from usage.services import batches
from usage.services.batches import Row, TooManyEvents

EVENT = {
    "organisation": "aoba",
    "event_id": "a-1",
    "meter": "api_calls",
    "occurred_at": "2026-11-20T10:00:00.123456Z",
    "quantity": 12.5,
}


def rows_of(batch: batches.Batch) -> list[tuple[str | None, ...]]:
    """Return a batch's rows by their fields, without numbers."""
    rows = []
    for line in batch.text.decode().splitlines():
        values = dict(zip(batch.columns, line.split("\t"), strict=True))
        fields = [values.get(name, "\\N") for name in Row._fields[1:]]
        rows.append(tuple(None if value == "\\N" else value for value in fields))
    return rows


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("quantity", [12.5, "12.5", 0, -3])
def test_events_written_alike_are_taken_at_once(
    separators: tuple[str, str], quantity: object
) -> None:
    events = [{**EVENT, "event_id": f"a-{n}", "quantity": quantity} for n in range(3)]
    body = json.dumps(events, separators=separators).encode()
    lines = "\r\n".join(json.dumps(event, separators=separators) for event in events).encode()

    at_once = bodies.events_at_once(body, lines=False)
    at_once_by_line = bodies.events_at_once(lines, lines=True)

    assert at_once is not None
    assert at_once_by_line is not None
    expected = rows_of(bodies.events_one_by_one(body, lines=False).batch)
    assert expected[2] == ("aoba", "a-2", *list(EVENT.values())[2:4], str(quantity), None)
    assert rows_of(at_once.batch) == expected
    assert rows_of(at_once_by_line.batch) == expected


_text = st.text(st.sampled_from('a1":,{}[]\\ é.\t'), max_size=12)
_values = st.one_of(
    st.sampled_from(list(EVENT.values())), _text, st.integers(), st.booleans(), st.none()
)
_bodies = st.one_of(
    st.lists(
        st.dictionaries(st.sampled_from([*EVENT, "corrects", "else"]), _values, max_size=6)
        | st.just(EVENT),
        max_size=4,
    ).map(lambda events: json.dumps(events, separators=(",", ":"), ensure_ascii=False)),
    st.permutations(list(EVENT.items())).map(lambda items: json.dumps([EVENT, dict(items)])),
    st.tuples(_text, st.integers(0, 200)).map(
        lambda cut: (
            (text := json.dumps([EVENT, EVENT], separators=(",", ":")))[: cut[1]]
            + cut[0]
            + text[cut[1] :]
        )
    ),
)


@given(body=_bodies)
def test_what_is_taken_at_once_is_what_would_be_taken_one_by_one(body: str) -> None:
    at_once = bodies.events_at_once(body.encode(), lines=False)

    if at_once is not None:
        one_by_one = bodies.events_one_by_one(body.encode(), lines=False)
        assert rows_of(at_once.batch) == rows_of(one_by_one.batch)
        assert not one_by_one.refused


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("5", "row_wrong"),
        ("[]", "row_wrong"),
        ("null", "row_wrong"),
        ('{"quantity": 1, "quantity": 2}', "key_twice"),
        ('{"quantity": 1, "quantit\\u0079": 2}', "key_twice"),
        ('{"correct": "a"}', "key_unknown"),
        ('{"event_id": 5}', "type_wrong"),
        ('{"event_id": {"meter": "a"}}', "type_wrong"),
        ('{"event_id": ["a"]}', "type_wrong"),
        ('{"organisation": true}', "type_wrong"),
        ('{"quantity": true}', "type_wrong"),
        ('{"event_id": "a\\u0000"}', "text_wrong"),
        ('{"event_id": "\\ud800"}', "text_wrong"),
    ],
)
def test_an_event_of_the_wrong_shape_is_refused_alone(event: str, code: str) -> None:
    parsed = bodies.events(f"[{json.dumps(EVENT)}, {event}]".encode(), lines=False)

    assert len(rows_of(parsed.batch)) == 1
    assert [(refused.row, refused.code) for refused in parsed.refused] == [(2, code)]


def test_a_line_that_is_not_json_is_refused_alone() -> None:
    body = f"{json.dumps(EVENT)}\n\n{{not json}}\n{json.dumps(EVENT)}\n".encode()

    parsed = bodies.events(body, lines=True)

    assert len(rows_of(parsed.batch)) == 2
    reason = (
        "This is not JSON: Expecting property name enclosed in double quotes, line 1, column 2."
    )
    assert parsed.refused == [Refused(3, "row_not_json", reason)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b'[{"quantity": 1},\n {"quantity": }]',
            "This is not JSON: Expecting value, line 2, column 15.",
        ),
        (b'[{"quantity": NaN}]', "NaN is not a JSON number."),
        (b"{}", "The body is not an array of events."),
        (b"\xff[]", "The body is not UTF-8, at byte 0."),
        (b"[" * 100_000, "This is not an event: it is nested too deeply."),
    ],
)
def test_a_body_that_is_no_array_is_refused_with_the_place(body: bytes, reason: str) -> None:
    with pytest.raises(bodies.NotJson, match="^" + reason.replace(".", r"\.") + "$"):
        bodies.events(body, lines=False)


def test_a_number_keeps_every_digit() -> None:
    digits = "123456789012345.123456789012345"

    parsed = bodies.events(f'[{{"quantity":{digits} }}]'.encode(), lines=False)

    assert rows_of(parsed.batch) == [(None, None, None, None, digits, None)]


@pytest.mark.parametrize("event", [json.dumps(EVENT, separators=(",", ":")), "1"])
def test_a_body_has_an_end(event: str) -> None:
    for lines in (False, True):
        body = "\n".join([event] * 10_001) if lines else f"[{','.join([event] * 10_001)}]"
        with pytest.raises(TooManyEvents):
            bodies.events(body.encode(), lines=lines)
