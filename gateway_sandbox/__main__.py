"""`python -m gateway_sandbox`: both companies as a process, its ledger kept in a file."""

import argparse
import logging
import os
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

from gateway_sandbox import Accounts, Sandbox

# The merchant's accounts come by the portal's own variables.
_VARIABLES = {
    "client_id": "PAYPAL_CLIENT_ID",
    "secret": "PAYPAL_SECRET",
    "merchant": "PAYPAL_MERCHANT_ID",
    "webhook_id": "PAYPAL_WEBHOOK_ID",
    "paid_auth_code": "PAID_AUTH_CODE",
}


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m gateway_sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ledger", type=Path, help="an SQLite file; without it, memory alone")
    parser.add_argument("--notify", action="append", default=[], help="where notices are sent")
    parser.add_argument(
        "--review-after",
        type=float,
        metavar="SECONDS",
        help="Paid approves a new member after so long; without it, a person does at /sandbox/",
    )
    asked = parser.parse_args()

    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    accounts = Accounts(
        **{name: os.environ[key] for name, key in _VARIABLES.items() if os.environ.get(key)}
    )
    with Sandbox(
        port=asked.port, accounts=accounts, ledger=asked.ledger, notify=asked.notify
    ) as sandbox:
        if asked.review_after is not None:
            sandbox.paid.review_after = timedelta(seconds=asked.review_after)
        logging.getLogger("gateway_sandbox").info("listening at %s/sandbox/", sandbox.url)
        ended.wait()


if __name__ == "__main__":
    main()
