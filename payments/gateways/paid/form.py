"""The form that a buyer fills in for Paid. Limits and patterns: gateways.md 3.2. Rule: S1-17."""

import re
from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from payments.gateways.base import ProfileField
from payments.rules import profile as rules

_COMPANY = _("Company")
_REPRESENTATIVE = _("Representative")
_ADDRESS = _("Address of the company")
_CLERK = _("Who handles the payments")

_KANA = _("Write it in katakana.")
_ZIP = _("A postal code looks like 100-0001.")
_TEL = _("A telephone number begins with 0 and has hyphens: 03-1234-5678.")
_EMAIL = _("An e-mail address looks like name@example.co.jp.")
_URL = _("A web address begins with https:// or http://.")

PROFILE = (
    ProfileField(
        name="companyName",
        label=_("Company name"),
        max_length=50,
        help=_(
            "As it is registered, with 株式会社 and the like. Sole traders write their trade name."
        ),
        autocomplete="organization",
        section=_COMPANY,
    ),
    ProfileField(
        name="companyNameKana",
        label=_("Company name (kana)"),
        max_length=50,
        pattern=rules.KANA,
        hint=_KANA,
        section=_COMPANY,
    ),
    ProfileField(
        name="url1",
        label=_("Website"),
        max_length=200,
        pattern=rules.WEB_ADDRESS,
        hint=_URL,
        required=False,
        autocomplete="url",
        section=_COMPANY,
    ),
    ProfileField(
        name="representativeSei",
        label=_("Family name of the representative"),
        max_length=50,
        section=_REPRESENTATIVE,
    ),
    ProfileField(
        name="representativeMei",
        label=_("Given name of the representative"),
        max_length=50,
        section=_REPRESENTATIVE,
    ),
    ProfileField(
        name="representativeSeiKana",
        label=_("Family name of the representative (kana)"),
        max_length=50,
        pattern=rules.KANA,
        hint=_KANA,
        section=_REPRESENTATIVE,
    ),
    ProfileField(
        name="representativeMeiKana",
        label=_("Given name of the representative (kana)"),
        max_length=50,
        pattern=rules.KANA,
        hint=_KANA,
        section=_REPRESENTATIVE,
    ),
    ProfileField(
        name="zipCode",
        label=_("Postal code"),
        max_length=8,
        pattern=rules.POSTAL_CODE,
        hint=_ZIP,
        autocomplete="postal-code",
        section=_ADDRESS,
    ),
    ProfileField(
        name="prefecture",
        label=_("Prefecture"),
        max_length=50,
        autocomplete="address-level1",
        kind="select",
        choices=tuple((name, name) for name in rules.PREFECTURES),
        section=_ADDRESS,
    ),
    ProfileField(
        name="address1",
        label=_("City, ward or village"),
        max_length=50,
        autocomplete="address-level2",
        section=_ADDRESS,
    ),
    ProfileField(
        name="address2",
        label=_("Town and number"),
        max_length=50,
        autocomplete="address-line1",
        section=_ADDRESS,
    ),
    ProfileField(
        name="building",
        label=_("Building, floor, room"),
        max_length=50,
        required=False,
        autocomplete="address-line2",
        section=_ADDRESS,
    ),
    ProfileField(
        name="clerkSei",
        label=_("Family name of who handles the payments"),
        max_length=50,
        autocomplete="family-name",
        section=_CLERK,
    ),
    ProfileField(
        name="clerkMei",
        label=_("Given name of who handles the payments"),
        max_length=50,
        autocomplete="given-name",
        section=_CLERK,
    ),
    ProfileField(
        name="clerkSeiKana",
        label=_("Family name of who handles the payments (kana)"),
        max_length=50,
        pattern=rules.KANA,
        hint=_KANA,
        section=_CLERK,
    ),
    ProfileField(
        name="clerkMeiKana",
        label=_("Given name of who handles the payments (kana)"),
        max_length=50,
        pattern=rules.KANA,
        hint=_KANA,
        section=_CLERK,
    ),
    ProfileField(
        name="tel",
        label=_("Telephone"),
        max_length=25,
        pattern=rules.TELEPHONE,
        help=_("With hyphens."),
        hint=_TEL,
        autocomplete="tel-national",
        kind="tel",
        section=_CLERK,
    ),
    ProfileField(
        name="mobile",
        label=_("Mobile phone"),
        max_length=25,
        pattern=rules.TELEPHONE,
        hint=_TEL,
        required=False,
        kind="tel",
        section=_CLERK,
    ),
    ProfileField(
        name="fax",
        label=_("Fax"),
        max_length=25,
        pattern=rules.TELEPHONE,
        hint=_TEL,
        required=False,
        kind="tel",
        section=_CLERK,
    ),
    ProfileField(
        name="email",
        label=_("E-mail address for Paid"),
        max_length=100,
        pattern=rules.EMAIL,
        help=_("Paid sends the result of its review and its notices about invoices here."),
        hint=_EMAIL,
        autocomplete="email",
        kind="email",
        section=_CLERK,
    ),
)


def faulty_fields(profile: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the fields that a normalised profile does not fill in as Paid wants it."""
    return tuple(field.name for field in PROFILE if not _takes(field, profile.get(field.name, "")))


def _takes(field: ProfileField, text: str) -> bool:
    if not text:
        return not field.required
    if len(text) > field.max_length or not text.isprintable():
        return False
    if field.choices and text not in dict(field.choices):
        return False
    return not field.pattern or re.fullmatch(field.pattern, text) is not None
