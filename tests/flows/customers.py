"""Fill a database of one's own: python -m tests.flows.customers COUNT."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
django.setup()

from tests.flows.test_month_end import customers  # noqa: E402  # settings first

if __name__ == "__main__":
    customers(int(sys.argv[1]))
