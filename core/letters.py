"""Letters: mails that say the same in plain text and in HTML, from one template. Rule: B-14, F74.

A letter's template (`templates/…/mail/NOUN.txt`, tags in core.templatetags.letter) names its parts in
their order; `mail/base.txt` and `mail/base.html` write them, in one design. Whatever a part says is
text: it becomes markup nowhere, and a subject stays on its line.
"""

import enum
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.template import Context, engines
from django.template.backends.django import Template
from django.utils import translation

from core import mail

_BLANKS = re.compile(r"[\s\x1c-\x1f\x85\u2028\u2029]+")
_ADDRESS = re.compile(r"https?://\S+")
_KEPT_BLANKS = "\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"


class Kind(enum.StrEnum):
    """What a part of a letter is. QUOTE: words of somebody else, in their lines."""

    PARAGRAPH = "paragraph"
    FACTS = "facts"
    ACTION = "action"
    LINK = "link"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a letter; `url` of an action or a link, `facts` of facts."""

    kind: Kind
    text: str = ""
    url: str = ""
    facts: tuple[Fact, ...] = ()

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")


@dataclass(slots=True)
class Draft:
    """What a template has said so far."""

    subject: str = ""
    parts: list[Part] = field(default_factory=list)

    def add(self, kind: Kind, said: str, url: str = "") -> None:
        """Add a part, unless it says nothing."""
        text = _in_lines(said) if kind is Kind.QUOTE else one_line(said)
        if text:
            self.parts.append(Part(kind, text, url))

    def add_fact(self, label: str, value: str) -> None:
        """Add a fact to those just named, unless it has no value."""
        fact = Fact(one_line(label), one_line(value))
        if not fact.value:
            return
        if self.parts and self.parts[-1].kind is Kind.FACTS:
            fact_list = (*self.parts.pop().facts, fact)
        else:
            fact_list = (fact,)
        self.parts.append(Part(Kind.FACTS, facts=fact_list))


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the foot of each letter. `address`: where answers go."""

    name: str
    support_url: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to be written. `why`: why its readers get it, said at its foot."""

    template: str
    to: tuple[str, ...]
    language: str
    sender: Sender
    values: Mapping[str, object]
    addressee: str = ""
    why: str = ""
    reply_to: str = ""


def post(letters: Sequence[Letter], now: datetime) -> None:
    """Write letters and store them in the caller's transaction; they are sent after it. Rule: R2."""
    mail.post([written(letter) for letter in letters], now)


def written(letter: Letter) -> mail.Message:
    """Return a letter as a mail, in its language."""
    with translation.override(letter.language):
        draft = Draft()
        _render(letter.template, {**letter.values, "draft": draft})
        values = {
            "subject": draft.subject,
            "parts": draft.parts,
            "sender_name": letter.sender.name,
            "support_url": letter.sender.support_url,
            "addressee": one_line(letter.addressee),
            "why": one_line(letter.why),
            "language": letter.language,
        }
        return mail.Message(
            to=letter.to,
            subject=draft.subject,
            text=re.sub(r"\n{3,}", "\n\n", _render("mail/base.txt", values)).strip() + "\n",
            html=re.sub(r"\n\s*\n", "\n", _render("mail/base.html", values, is_html=True)),
            reply_to=one_line(letter.reply_to or letter.sender.address),
        )


def parts_of(text: str, *, label: str) -> list[Part]:
    """Return the paragraphs of a plain text as parts; an address that stands alone is its action."""
    draft = Draft()
    for said in re.split(r"\n\s*\n", text):
        address = said.strip()
        if _ADDRESS.fullmatch(address):
            draft.add(Kind.ACTION, label, address)
        else:
            draft.add(Kind.PARAGRAPH, said)
    return draft.parts


def one_line(said: str) -> str:
    """Return words as one line of plain text: no line break, control character or markup. Rule: F74."""
    return _without_controls(
        _BLANKS.sub(lambda found: _blank(found[0]), str(said)).strip(" \t\r\n")
    )


def _blank(found: str) -> str:
    return found if len(found) == 1 and found in _KEPT_BLANKS else " "


def _in_lines(said: str) -> str:
    lines = str(said).replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    return "\n".join(one_line(line) for line in lines)


def _without_controls(text: str) -> str:
    # Joined anew it is a plain string: what a template said counts as safe markup otherwise.
    return "".join([each for each in text if unicodedata.category(each) not in {"Cc", "Cs"}] + [""])


def _render(name: str, values: Mapping[str, object], *, is_html: bool = False) -> str:
    template = engines["django"].get_template(name)
    assert isinstance(template, Template)  # noqa: S101 - of the engine just named
    return str(template.template.render(Context(dict(values), autoescape=is_html)))
