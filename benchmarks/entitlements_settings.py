"""The portal's settings, with a view beside the entitlements that only runs their statements."""

from billing_portal.settings import *  # noqa: F403  # the point is to change nothing else

ROOT_URLCONF = "benchmarks.entitlements_urls"
PORTAL_ACCESS = "benchmarks.entitlements_urls.ACCESS"
