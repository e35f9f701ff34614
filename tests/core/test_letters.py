from email import message_from_string
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django.asserts import assertNumQueries
from pytest_django.fixtures import Settings

from core import letters, mail, work
from core.letters import Kind, Letter, Part, Sender
from core.models import Mail, Work
from tests import make

SENDER = Sender("Kamome Connect Inc.", "https://support.example.com/", "support@example.com")


def letter(
    *lines: str,
    about: str = "A charge waits",
    to: str = "staff@example.com",
    language: str = "en",
    addressee: str = "",
    reply_to: str = "",
) -> Letter:
    return Letter(
        template="payments/mail/staff_alert.txt",
        to=(to,),
        language=language,
        sender=SENDER,
        values={
            "about": about,
            "lines": lines,
            "organisation": None,
            "office_url": "http://localhost:8000/back-office/",
        },
        addressee=addressee,
        why="You look after customers.",
        reply_to=reply_to,
    )


class Page(HTMLParser):
    """What a reader of the HTML sees, and what it would load or run."""

    LOADS = frozenset({"src", "srcset", "background", "action", "onclick", "onload", "onerror"})
    ELEMENTS = frozenset({"img", "link", "script", "iframe", "form", "object", "svg", "video"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.forbidden: list[str] = []
        self.links: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in {"style", "title"}
        self.forbidden += [tag] if tag in self.ELEMENTS else []
        self.forbidden += [name for name, _ in attrs if name in self.LOADS]
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._hidden:
            self.seen.append(data.strip())


def test_a_letter_says_in_html_what_it_says_in_text() -> None:
    written = letters.written(letter("One thing.", "Another.", addressee="Aoba Devices"))

    assert written.subject == "A charge waits"
    assert written.text == (
        "Dear Aoba Devices,\n"
        "\n"
        "One thing.\n"
        "\n"
        "Another.\n"
        "\n"
        "Back office\n"
        "http://localhost:8000/back-office/\n"
        "\n"
        "-- \n"
        "Kamome Connect Inc.\n"
        "Support: https://support.example.com/\n"
        "You look after customers.\n"
    )
    page = Page(written.html)
    assert page.seen == [
        "Kamome Connect Inc.",
        "A charge waits",
        "Dear Aoba Devices,",
        "One thing.",
        "Another.",
        "Back office",
        "Support",
        "You look after customers.",
    ]
    assert page.links == ["http://localhost:8000/back-office/", "https://support.example.com/"]
    assert page.forbidden == []
    assert "url(" not in written.html
    assert written.reply_to == "support@example.com"


def test_a_letter_is_written_in_its_language() -> None:
    written = letters.written(letter("One.", language="ja", addressee="あおばデバイス株式会社"))

    assert written.text.startswith("あおばデバイス株式会社 ご担当者様\n\nOne.\n\n管理画面\n")
    assert '<html lang="ja">' in written.html


def test_a_plain_text_is_its_paragraphs_and_the_address_to_open() -> None:
    text = "Open this\nlink:\n\nhttps://x.example/<a>?b=1\n\nSee https://x.example/ too."

    assert letters.parts_of(text, label="Confirm") == [
        Part(Kind.PARAGRAPH, "Open this link:"),
        Part(Kind.ACTION, "Confirm", "https://x.example/<a>?b=1"),
        Part(Kind.PARAGRAPH, "See https://x.example/ too."),
    ]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        pytest.param("a\r\nBcc: eve@example.com", "a Bcc: eve@example.com", id="line break"),
        pytest.param("a\nb\rc\vd\fe", "a b c d e", id="all of ASCII's"),
        pytest.param("a\x85b\u2028c\u2029d", "a b c d", id="Unicode's"),
        pytest.param("a\x00b\x1b[31m\x7f", "ab[31m", id="control characters"),
        pytest.param("a\ud800b", "ab", id="half a surrogate pair"),
        pytest.param("カモメ\u3000商事", "カモメ\u3000商事", id="a wide blank stays"),
        pytest.param("CHF\u00a012.00", "CHF\u00a012.00", id="one that does not break stays"),
        pytest.param("  a   b ", "a b", id="blanks"),
    ],
)
def test_words_become_one_line(said: str, line: str) -> None:
    assert letters.one_line(said) == line


def test_what_somebody_typed_is_text_and_starts_no_header(
    settings: Settings, tmp_path: Path, transactional_db: None
) -> None:
    settings.DELIVERY_EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    evil = "<b onclick=x>Ｅ</b>\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>{{ 7 }}"

    with transaction.atomic():
        letters.post(
            [letter(evil, about=evil, addressee=evil, reply_to="a@example.com\r\nBcc: e@x.org")],
            make.NOW,
        )
    kept = Mail.objects.get()
    kept_reply = kept.reply_to
    Mail.objects.update(reply_to="root@example.com")
    work.run_due()

    one_line = "<b onclick=x>Ｅ</b> Bcc: eve@example.com <script>alert(1)</script>{{ 7 }}"
    assert kept.subject == one_line
    assert kept_reply == "a@example.com Bcc: e@x.org"
    assert f"Dear {one_line},\n\n{one_line}\n\n" in kept.text
    assert kept.html.count("&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 }}") == 4
    page = Page(kept.html)
    assert page.forbidden == []
    (sent,) = tmp_path.iterdir()
    headers = message_from_string(sent.read_text())
    assert headers["To"] == "staff@example.com"
    assert headers["Bcc"] is None
    assert headers["Reply-To"] == "root@example.com"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Message-ID"] == kept.message_id


@pytest.mark.django_db
@pytest.mark.parametrize("count", [3, 300])
def test_posting_takes_two_statements_however_many_there_are(count: int) -> None:
    messages = [
        mail.Message(to=(f"root-{number}@example.com",), subject="s", text="t")
        for number in range(count)
    ]

    with assertNumQueries(2):
        mail.post(messages, make.NOW)

    assert Mail.objects.count() == count
    assert set(Work.objects.values_list("key", flat=True)) == {
        str(pk) for pk in Mail.objects.values_list("pk", flat=True)
    }


@pytest.mark.django_db(transaction=True)
def test_a_letter_is_posted_with_what_it_tells_of_or_not_at_all() -> None:
    with pytest.raises(work.OutsideTransaction):
        letters.post([letter("One.")], make.NOW)
    with transaction.atomic():
        letters.post([letter("One.")], make.NOW)
        transaction.set_rollback(True)

    assert (Mail.objects.count(), Work.objects.count()) == (0, 0)
