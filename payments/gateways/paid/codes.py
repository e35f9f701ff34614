"""What Paid's codes mean, in one place. Rule: gateways.md 3.2."""

import enum
from collections.abc import Iterable

EMAIL_IS_TAKEN = "B45"  # with Paid already: the buyer links up with this merchant there
DUPLICATE = "C01"
NO_SUCH_MEMBER = "C02"
_AUTHENTICATION = "A02"
_PROVIDER_FAULT = "D01"
_OURS = frozenset({"A01", "A03", "A04"})
_SETTINGS = frozenset({"B64", "B65"})  # closing day, payment method

# How many codes each field of a registration has, in the order of the codes, B01 first: missing,
# too long, malformed, as far as they apply. The order is that of an unofficial client of 2017; where
# the vendor's manual says otherwise, this table is what has to change.
_CODES_OF_FIELDS = (
    ("b2bMemberId", 3),
    ("companyName", 2),
    ("companyNameKana", 2),
    ("representativeSei", 2),
    ("representativeMei", 2),
    ("representativeSeiKana", 2),
    ("representativeMeiKana", 2),
    ("zipCode", 3),
    ("prefecture", 3),
    ("address1", 2),
    ("address2", 2),
    ("building", 1),
    ("clerkSei", 2),
    ("clerkMei", 2),
    ("clerkSeiKana", 2),
    ("clerkMeiKana", 2),
    ("tel", 3),
    ("fax", 2),
    ("mobile", 2),
    ("email", 4),
    ("establishedYear", 2),
    ("establishedMonth", 2),
    ("annualSales", 2),
    ("businessDetailType", 2),
    ("dealingBrand", 1),
    ("shopCount", 2),
    ("url1", 2),
    ("url2", 2),
    ("url3", 2),
    ("pr", 1),
)
_FIELDS = [name for name, count in _CODES_OF_FIELDS for _ in range(count)]
FIELD_OF = {f"B{number:02}": name for number, name in enumerate(_FIELDS, start=1)}


class Fault(enum.Enum):
    """Whose fault a code tells of, the gravest first: the first that applies decides."""

    MISCONFIGURED = "misconfigured"
    OURS = "programming error"
    THEIRS = "provider"
    FORM = "form"
    DUPLICATE = "duplicate"
    NO_SUCH_MEMBER = "no such member"
    UNKNOWN = "unknown"


def fault_of(code: str) -> Fault:
    """Return whose fault a code tells of."""
    if code == _AUTHENTICATION or code in _SETTINGS:
        return Fault.MISCONFIGURED
    if code in _OURS:
        return Fault.OURS
    if code == _PROVIDER_FAULT:
        return Fault.THEIRS
    if code in FIELD_OF:
        return Fault.FORM
    if code == DUPLICATE:
        return Fault.DUPLICATE
    return Fault.NO_SUCH_MEMBER if code == NO_SUCH_MEMBER else Fault.UNKNOWN


def gravest(codes: Iterable[str]) -> tuple[Fault, str]:
    """Return the gravest fault among `codes`, with its code; UNKNOWN and "" for none."""
    order = list(Fault)
    found = [(fault_of(code), code) for code in codes]
    return min(found, key=lambda each: order.index(each[0]), default=(Fault.UNKNOWN, ""))


def fields_of(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the fields that `codes` find fault with, in the order of the form, each once."""
    faulty = {FIELD_OF[code] for code in codes if code in FIELD_OF}
    return tuple(name for name, _ in _CODES_OF_FIELDS if name in faulty)
