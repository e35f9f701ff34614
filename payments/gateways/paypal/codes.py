"""PayPal's codes, and what they mean to us. Rule: gateways.md 4.4."""

from collections.abc import Mapping

from payments.gateways.base import About, RecordKind, RecordState

# What PayPal accounts can be paid in. HUF and TWD are left out: they have no decimals there and
# two in our books, so that an amount in them could be one that PayPal cannot take.
# fmt: off
CURRENCIES = frozenset({
    "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "JPY", "MXN", "MYR",
    "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "USD",
})
# fmt: on

SOFT_DECLINES = frozenset(
    {
        "INSTRUMENT_DECLINED",
        "TRANSACTION_REFUSED",
        # The vendor's own fraud filters, which stop one payment and no other.
        "TRANSACTION_BLOCKED_BY_PAYEE",
        "PAYEE_BLOCKED_TRANSACTION",
        "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR",
        "PAYMENT_SOURCE_CANNOT_BE_USED",
        "PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED",
        "PAYER_CANNOT_PAY",
        "TRANSACTION_LIMIT_EXCEEDED",
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
        "COMPLIANCE_VIOLATION",
    }
)

# It will say so until the payer registers again.
UNUSABLE = frozenset(
    {
        "AGREEMENT_ALREADY_CANCELLED",
        "BILLING_AGREEMENT_NOT_FOUND",
        "TOKEN_ID_NOT_FOUND",
        "TOKEN_EXPIRED",
        "CARD_EXPIRED",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "PAYER_ACCOUNT_RESTRICTED",
        "PAYER_ACTION_REQUIRED",
        "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
        "MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE",
        "DOMESTIC_TRANSACTION_REQUIRED",
    }
)

DONE_BEFORE = frozenset({"DUPLICATE_INVOICE_ID", "ORDER_ALREADY_CAPTURED"})

REFUNDED_BEFORE = frozenset({"DUPLICATE_INVOICE_ID", "CAPTURE_FULLY_REFUNDED"})

NOT_APPROVED = frozenset({"ORDER_NOT_APPROVED"})

_VENDOR_SIDE = frozenset(
    {
        "PERMISSION_DENIED",
        "NOT_AUTHORIZED",
        "NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE",
        "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
        "AUTH_CAPTURE_NOT_ENABLED",
        "UNSUPPORTED_INTENT",
    }
)

# A refund that will not come about so: staff decide what is done instead.
NO_REFUND = frozenset(
    {
        "REFUND_AMOUNT_EXCEEDED",
        "REFUND_TIME_LIMIT_EXCEEDED",
        "REFUND_FAILED_INSUFFICIENT_FUNDS",
        "REFUND_NOT_ALLOWED",
        "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK",
        "REFUND_CAPTURE_CURRENCY_MISMATCH",
        "REFUND_AMOUNT_TOO_LOW",
        "REFUND_IS_RESTRICTED",
        "REFUND_NOT_PERMITTED_BY_FUNDING_SOURCE",
        "MULTIPLE_REFUNDS_NOT_SUPPORTED",
        "PARTIAL_REFUND_NOT_ALLOWED",
        "MAX_NUMBER_OF_REFUNDS_EXCEEDED",
        "CAPTURE_FULLY_REFUNDED",
        "CAPTURE_DISPUTED_PARTIAL_REFUND_NOT_ALLOWED",
        "PENDING_CAPTURE",
        "TRANSACTION_DISPUTED",
        "TRANSACTION_REFUSED",
        "CURRENCY_MISMATCH",
        "CANNOT_BE_NEGATIVE",
        "CANNOT_BE_ZERO_OR_NEGATIVE",
        "DECIMALS_NOT_SUPPORTED",
        "DECIMAL_PRECISION",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "INVALID_RESOURCE_ID",
        "RESOURCE_NOT_FOUND",
    }
)


def is_vendor_side(status: int, issues: tuple[str, ...]) -> bool:
    """Return whether PayPal refuses us, and not the payer: somebody has to look before the next try."""
    return (
        status in {400, 403}
        or not _VENDOR_SIDE.isdisjoint(issues)
        or any(each.startswith("PAYEE_") for each in issues)
    )


# Transaction event codes of PayPal's reports. Fees, holds while a dispute is looked into (T1110,
# T1111) and transfers to a bank are no movement of ours; a chargeback that is given back (T1202) is
# left to PayPal's own statement, as a Record cannot say it.
EVENT_KINDS: Mapping[str, RecordKind] = {
    "T0000": RecordKind.CAPTURE,  # payment of no other category
    "T0002": RecordKind.CAPTURE,  # subscription payment
    "T0003": RecordKind.CAPTURE,  # pre-approved payment
    "T0005": RecordKind.CAPTURE,  # direct payment by card
    "T0006": RecordKind.CAPTURE,  # checkout: what Orders v2 makes
    "T0007": RecordKind.CAPTURE,  # website payment
    "T0011": RecordKind.CAPTURE,  # from a telephone
    "T0012": RecordKind.CAPTURE,  # virtual terminal
    "T0019": RecordKind.CAPTURE,  # funded by an instrument
    "T1107": RecordKind.REFUND,  # by the merchant
    "T1100": RecordKind.REVERSAL,  # of no other category
    "T1106": RecordKind.REVERSAL,  # by PayPal: the end of a dispute
    "T1201": RecordKind.REVERSAL,  # chargeback
}
# V: carried out, and later given back, which has a record of its own.
EVENT_STATES: Mapping[str, RecordState] = {
    "S": RecordState.COMPLETED,
    "V": RecordState.COMPLETED,
    "P": RecordState.PENDING,
    "D": RecordState.REFUSED,
}

# PayPal's pages use both DENIED and DECLINED.
NOTICE_KINDS: Mapping[str, About] = {
    "VAULT.PAYMENT-TOKEN.CREATED": About.PAYER,
    "VAULT.PAYMENT-TOKEN.DELETED": About.PAYER,
    "VAULT.PAYMENT-TOKEN.DELETION-INITIATED": About.PAYER,
    "PAYMENT.CAPTURE.COMPLETED": About.CHARGE,
    "PAYMENT.CAPTURE.PENDING": About.CHARGE,
    "PAYMENT.CAPTURE.DENIED": About.CHARGE,
    "PAYMENT.CAPTURE.DECLINED": About.CHARGE,
    "PAYMENT.CAPTURE.REFUNDED": About.REFUND,
    "PAYMENT.CAPTURE.REVERSED": About.REFUND,
    "CHECKOUT.ORDER.APPROVED": About.CHARGE,
    "CHECKOUT.ORDER.COMPLETED": About.CHARGE,
}
