"""The portal's settings, with one page more: what a signed-in page of the base template costs at least."""

from billing_portal.settings import *  # noqa: F403  # the point is to change nothing else

ROOT_URLCONF = "benchmarks.hello_urls"
PORTAL_ACCESS = "benchmarks.hello_urls.ACCESS"
