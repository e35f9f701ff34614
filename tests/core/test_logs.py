import json
import logging

from core.logs import JsonFormatter


def _line(message: str, **extra: object) -> str:
    record = logging.LogRecord("portal", logging.INFO, "", 0, message, None, None)
    record.__dict__.update(extra)
    return JsonFormatter().format(record)


def test_whatever_a_text_holds_it_is_one_line_of_json() -> None:
    line = _line("forged\nline \u2028 ü", key="a\nb")

    assert line.count("\n") == 0
    assert json.loads(line)["message"] == "forged\nline \u2028 ü"
    assert json.loads(line)["key"] == "a\nb"


def test_half_a_surrogate_pair_can_be_written() -> None:
    line = _line("half of \ud800")

    assert line.encode("utf-8")
    assert json.loads(line)["message"] == "half of \ud800"
