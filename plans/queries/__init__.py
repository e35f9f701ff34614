"""What is sold, by whom, and what organisations have contracted."""

from plans.queries.catalogue import (
    NoVendor,
    Selected,
    cancellation_terms,
    fee_selections,
    forget,
    meters,
    meters_for_pages,
    selections_at,
    terms,
    terms_for_pages,
    terms_of_use,
    vendor,
    vendor_for_pages,
    vendor_zone,
    version_on_sale,
    zone_for_pages,
)
from plans.queries.contracts import NotPriced, timeline, timelines

__all__ = [
    "NoVendor",
    "NotPriced",
    "Selected",
    "cancellation_terms",
    "fee_selections",
    "forget",
    "meters",
    "meters_for_pages",
    "selections_at",
    "terms",
    "terms_for_pages",
    "terms_of_use",
    "timeline",
    "timelines",
    "vendor",
    "vendor_for_pages",
    "vendor_zone",
    "version_on_sale",
    "zone_for_pages",
]
