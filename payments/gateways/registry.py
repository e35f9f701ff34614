"""The gateways that the settings name; a further one is one file and one line there."""

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from payments.gateways.base import Gateway


class NoSuchGateway(LookupError):
    """The settings name no gateway of this slug."""


@lru_cache(maxsize=1)
def gateways() -> dict[str, Gateway]:
    """Return the gateways by slug, in the order of the settings. Raises ImproperlyConfigured."""
    made: list[Gateway] = [import_string(path)() for path in settings.PAYMENT_GATEWAYS]
    return {each.slug: each for each in made}


def gateway(slug: str) -> Gateway:
    """Return a gateway. Raises NoSuchGateway."""
    try:
        return gateways()[slug]
    except KeyError:
        raise NoSuchGateway(slug) from None


def offered(country: str, currency: str) -> list[Gateway]:
    """Return the gateways that an organisation of this country and currency may use. Rule: S1-05."""
    return [each for each in gateways().values() if each.serves(country, currency)]


def forget() -> None:
    """Make them anew from the settings."""
    gateways.cache_clear()
