import pytest
from django.template import engines
from django.utils import translation

from core import words


def _written(source: str, language: str) -> str:
    with translation.override(language):
        return str(engines["django"].from_string(source).render({"text": "Usage"}))


@pytest.mark.parametrize(
    ("language", "usage"),
    [pytest.param("ja", "ご利用状況", id="Japanese"), pytest.param("en", "Usage", id="the source")],
)
def test_words_are_those_of_the_active_language(language: str, usage: str) -> None:
    with translation.override(language):
        _ = words.current()

    assert (_("Usage"), _.is_japanese) == (usage, language == "ja")


@pytest.mark.parametrize(
    ("source", "written"),
    [
        pytest.param('{% translate "Usage" %}', "ご利用状況", id="a plain sentence"),
        pytest.param(
            '{% translate "Usage" as it %}[{{ it }}]', "[ご利用状況]", id="kept under a name"
        ),
        pytest.param("{% translate text %}", "ご利用状況", id="a variable"),
        pytest.param('{% translate "Usage"|length %}', "5", id="filtered"),
        pytest.param('{% translate "Usage" noop %}', "Usage", id="not translated"),
        pytest.param('{% translate "100 % of <b>it</b>" %}', "100 % of <b>it</b>", id="as it is"),
    ],
)
def test_translate_writes_as_djangos_own(source: str, written: str) -> None:
    assert _written(source, "ja") == written
    assert _written("{% load i18n %}" + source, "ja") == written


def test_a_template_speaks_each_language_that_it_is_asked_in() -> None:
    assert [_written('{% translate "Usage" %}', each) for each in ("ja", "en", "ja")] == [
        "ご利用状況",
        "Usage",
        "ご利用状況",
    ]
