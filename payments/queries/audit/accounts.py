"""R17: what is under way belongs to the accounts that the settings name."""

from collections.abc import Iterator, Mapping

from core.books import Check, Scope, rows
from payments.gateways import registry

_UNDER_WAY = """
    SELECT 'charge' AS what, id, organisation_id AS organisation, gateway, environment, merchant
    FROM payments_charge
    WHERE state IN ('prepared', 'sent', 'started', 'pending', 'undecided')
    UNION ALL
    SELECT 'refund', r.id, r.organisation_id, c.gateway, c.environment, c.merchant
    FROM payments_refund r JOIN payments_charge c ON c.id = r.charge_id
    WHERE r.state IN ('prepared', 'sent', 'pending', 'undecided')
    UNION ALL
    SELECT 'method', id, organisation_id, gateway, environment, merchant
    FROM payments_paymentmethod
    WHERE state IN ('registering', 'under_review', 'active', 'broken')
    ORDER BY 1, 2
"""


def _strangers(scope: Scope) -> Iterator[Mapping[str, object]]:
    configured = {
        (slug, gateway.account.environment, gateway.account.merchant)
        for slug, gateway in registry.gateways().items()
    }
    for row in rows(_UNDER_WAY, {}):
        if (row["gateway"], row["environment"], row["merchant"]) not in configured:
            yield row


ACCOUNTS = (
    Check("R17", "it belongs to another account or environment than the settings name", _strangers),
)
