"""What PayPal is told of us; the settings fill it in."""

from typing import Protocol


class Account(Protocol):
    """One account with PayPal.

    `environment`: live, sandbox (PayPal's own) or local (a stand-in on this machine).
    `approval_origins`: the only addresses that payers are sent to. `certificate_hosts`: host, with
    port where it is not 443, that a notice's certificate may come from.
    """

    @property
    def environment(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def secret(self) -> str: ...
    @property
    def merchant(self) -> str: ...
    @property
    def webhook_id(self) -> str: ...
    @property
    def approval_origins(self) -> tuple[str, ...]: ...
    @property
    def certificate_hosts(self) -> tuple[str, ...]: ...
