"""Spot orders are placed, and become spot contracts, lapse or are given up."""

from spot_orders.services.orders import (
    LAPSES_AFTER,
    MovedBefore,
    NewOrder,
    OperationTaken,
    UnpaidOrder,
    cancel,
    cut,
    lapse,
    mark_paid,
    mark_refunded,
    name_successor,
    place,
)

__all__ = [
    "LAPSES_AFTER",
    "MovedBefore",
    "NewOrder",
    "OperationTaken",
    "UnpaidOrder",
    "cancel",
    "cut",
    "lapse",
    "mark_paid",
    "mark_refunded",
    "name_successor",
    "place",
]
