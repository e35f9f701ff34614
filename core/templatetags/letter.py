"""The parts of a letter, for its template: what stands outside them is not in the letter (core.letters).

{% subject %}…{% endsubject %}            once, first
{% paragraph %}…{% endparagraph %}
{% fact %}label{% is %}value{% endfact %}   one after the other: a table
{% action URL %}label{% endaction %}        the one thing to do
{% link URL %}label{% endlink %}            another way
{% quote %}…{% endquote %}                  somebody's own words, in their lines
"""

from django import template
from django.template.base import FilterExpression, Node, NodeList, Parser, Token
from django.template.context import Context

from core.letters import Draft, Kind, one_line

register = template.Library()


class _Subject(Node):
    def __init__(self, said: NodeList) -> None:
        self.said = said

    def render(self, context: Context) -> str:
        _draft(context).subject = one_line(self.said.render(context))
        return ""


class _Part(Node):
    def __init__(self, kind: Kind, said: NodeList, url: FilterExpression | None) -> None:
        self.kind, self.said, self.url = kind, said, url

    def render(self, context: Context) -> str:
        url = str(self.url.resolve(context)) if self.url else ""
        _draft(context).add(self.kind, self.said.render(context), url)
        return ""


class _Fact(Node):
    def __init__(self, label: NodeList, value: NodeList) -> None:
        self.label, self.value = label, value

    def render(self, context: Context) -> str:
        _draft(context).add_fact(self.label.render(context), self.value.render(context))
        return ""


@register.tag
def subject(parser: Parser, token: Token) -> Node:
    return _Subject(_until(parser, "endsubject"))


@register.tag
def fact(parser: Parser, token: Token) -> Node:
    label = _until(parser, "is")
    return _Fact(label, _until(parser, "endfact"))


@register.tag
def paragraph(parser: Parser, token: Token) -> Node:
    return _Part(Kind.PARAGRAPH, _until(parser, "endparagraph"), None)


@register.tag
def quote(parser: Parser, token: Token) -> Node:
    return _Part(Kind.QUOTE, _until(parser, "endquote"), None)


@register.tag
def action(parser: Parser, token: Token) -> Node:
    return _Part(Kind.ACTION, _until(parser, "endaction"), _url(parser, token))


@register.tag
def link(parser: Parser, token: Token) -> Node:
    return _Part(Kind.LINK, _until(parser, "endlink"), _url(parser, token))


def _until(parser: Parser, end: str) -> NodeList:
    said = parser.parse((end,))
    parser.delete_first_token()
    return said


def _url(parser: Parser, token: Token) -> FilterExpression:
    _, url = token.split_contents()
    return parser.compile_filter(url)


def _draft(context: Context) -> Draft:
    draft: Draft = context["draft"]
    return draft
