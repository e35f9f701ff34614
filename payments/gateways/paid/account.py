"""What the settings tell of one account with Paid."""

from collections.abc import Mapping
from typing import Protocol


class PaidSettings(Protocol):
    """One account with Paid, as `settings.PAID` holds it: what its manual may say otherwise is here.

    `paths` by our name of the operation. `member_status`: Paid's code to reviewing, active, blocked
    or rejected. `item_status`: Paid's word for an item of a batch to ok, duplicate, fixed, cancelled
    (each: before), not_found or declined.
    """

    @property
    def environment(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def auth_code(self) -> str: ...
    @property
    def merchant(self) -> str: ...
    @property
    def paths(self) -> Mapping[str, str]: ...
    @property
    def member_status(self) -> Mapping[str, str]: ...
    @property
    def item_status(self) -> Mapping[str, str]: ...
    @property
    def closing_day(self) -> str: ...
    @property
    def payment_method(self) -> str: ...
