"""`{% translate %}` as Django has it; a plain sentence is looked up once a process (core.words)."""

from django import template
from django.template.base import Node, Parser, Token, Variable
from django.template.context import Context
from django.templatetags.i18n import TranslateNode, do_translate
from django.utils.safestring import mark_safe

from core import words

register = template.Library()


class _Sentence(Node):
    child_nodelists = ()

    def __init__(self, sentence: str, asvar: str | None) -> None:
        # Catalogues hold the percent signs of templates doubled.
        self.sentence = sentence.replace("%", "%%")
        self.asvar = asvar

    def render(self, context: Context) -> str:
        said = words.current()(self.sentence).replace("%%", "%")
        said = mark_safe(said)  # noqa: S308 - our own words, from a template or its translation
        if self.asvar:
            context[self.asvar] = said
            return ""
        return said


@register.tag
def translate(parser: Parser, token: Token) -> Node:
    """Write a sentence in the reader's language, or keep it under a name."""
    node: TranslateNode = do_translate(parser, token)
    expression = node.filter_expression
    literal = expression.var.literal if isinstance(expression.var, Variable) else None
    if isinstance(literal, str) and not (expression.filters or node.noop or node.message_context):
        return _Sentence(literal, node.asvar)
    return node
