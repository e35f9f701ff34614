import os
from pathlib import Path

from babel.messages.catalog import Catalog

from devstack import translations

PO = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"

msgid "Invoice"
msgstr "請求書"

#, fuzzy
msgid "Invoices"
msgstr "請求書"
"""


def _po(folder: Path) -> Path:
    file = folder / "locale" / "ja" / "LC_MESSAGES" / "django.po"
    file.parent.mkdir(parents=True)
    file.write_text(PO)
    return file


def test_faults_of_names_what_is_missing_empty_fuzzy_or_broken() -> None:
    catalogue = Catalog(locale="ja")
    catalogue.add("fine", "良い", locations=[("a.html", 1)])
    catalogue.add("new", "", locations=[("b.html", 1)])
    catalogue.add("empty", "", locations=[("c.html", 1)])
    catalogue.add("guess", "推測", flags=["fuzzy"], locations=[("d.html", 1)])
    catalogue.add("%(n)s left", "残り", flags=["python-format"], locations=[("e.html", 1)])
    catalogue.add(("%(n)s day", "%(n)s days"), ("",), locations=[("f.html", 1)])
    known: set[object] = {(m.context, m.id) for m in catalogue if m.id and m.id != "new"}

    faults = [fault.partition(":")[0] for fault in translations.faults_of(catalogue, known)]

    assert faults[:3] == ["missing", "untranslated", "fuzzy"]
    assert faults[3:] == ["placeholders differ", "untranslated"]


def test_extract_finds_a_sentence_that_the_catalogue_lacks(tmp_path: Path) -> None:
    committed = _po(tmp_path)
    (tmp_path / "page.html").write_text(
        '{% load i18n %}{% translate "Invoice" %}{% translate "Pay" %}'
    )

    translations.extract(tmp_path)

    known: set[object] = {(None, "Invoice"), (None, "Invoices")}
    faults = list(translations.faults_of(translations._read(committed), known))
    assert faults == ["missing: 'Pay' (page.html)"]


def test_compile_all_leaves_out_what_is_fuzzy_and_what_is_up_to_date(tmp_path: Path) -> None:
    mo = _po(tmp_path).with_suffix(".mo")

    translations.compile_all(tmp_path)
    first = mo.read_bytes()
    os.utime(mo, (2**31, 2**31))
    translations.compile_all(tmp_path)

    assert "請求書".encode() in first
    assert b"Invoices" not in first
    assert mo.stat().st_mtime == 2**31
    assert [file.name for file in mo.parent.iterdir() if file.suffix not in (".mo", ".po")] == []
