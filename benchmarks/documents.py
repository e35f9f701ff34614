"""Invoice PDFs against raw WeasyPrint of the same HTML, and handing out the stored copy.

The floor only renders. The product reads the invoice, fills the template, renders, checks the
fonts, hashes and stores. The ordinary template is the same page as it is usually written: bold
type, table layout left to the browser, a box round every cell. Rendering is computing alone: its
ratios are of CPU time, the database's included.

    python -m benchmarks.documents [--invoices 40] [--rounds 5]
"""

import argparse
import os
from datetime import date

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
django.setup()

from django.core.management import call_command  # noqa: E402  # settings first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from weasyprint import HTML  # noqa: E402

from benchmarks import rounds  # noqa: E402
from benchmarks.rounds import Variant, at_least, at_most, cpu_speed, slowness  # noqa: E402
from billing.documents import render  # noqa: E402
from billing.models import Invoice, InvoiceDocument  # noqa: E402
from billing.queries import invoices  # noqa: E402
from billing.services import documents  # noqa: E402
from tests import make  # noqa: E402
from tests.billing import books  # noqa: E402

GETS = 200
ORDINARY = """
table { table-layout: auto; }
th, h1, .name, .gross, .amount { font-weight: 700; }
.lines th, .lines td, .taxes th, .taxes td, .totals td { border: 0.5pt solid #999; padding: 1mm; }
.facts { float: right; width: auto; }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    ids = _issue(arguments.invoices)
    goals = [*_rendering(ids, arguments.rounds), _serving(ids[0], arguments.rounds)]
    rounds.report(goals)


def _issue(count: int) -> list[int]:
    version = books.starter()
    for number in range(count):
        books.customer(version, calls=100_000 + number)
    books.bill()
    return list(Invoice.objects.order_by("number").values_list("pk", flat=True))


def _rendering(ids: list[int], how_often: int) -> list[rounds.Goal]:
    lean = [render.html(invoices.sheet(invoice_id)) for invoice_id in ids]
    ordinary = [source.replace("</style>", f"{ORDINARY}</style>") for source in lean]

    def raw(sources: list[str]) -> None:
        for source in sources:
            HTML(string=source).write_pdf(pdf_variant="pdf/a-3b")

    floor = Variant("raw WeasyPrint", run=lambda _: raw(lean))
    usual = Variant("raw WeasyPrint, ordinary template", run=lambda _: raw(ordinary))
    product = Variant(
        "make_document",
        prepare=lambda _: _forget(),
        run=lambda _: [documents.make_document(invoice_id=each, now=books.NOW) for each in ids],
        check=lambda _: _all_made(len(ids)),
    )
    raw(lean[:2])  # WeasyPrint reads its fonts at the first document
    taken = rounds.interleaved(
        [floor, usual, product],
        rounds=how_often,
        rows=len(ids),
        backends=_backend,
        unit="pages",
    )
    return [
        at_least("G12 made / raw WeasyPrint", cpu_speed(taken, product.name, floor.name), 0.85),
        at_least("G12 lean / ordinary", cpu_speed(taken, floor.name, usual.name), 1.4),
    ]


def _serving(invoice_id: int, how_often: int) -> rounds.Goal:
    """Compare the stored copy with a signed-in person's start page, on the same base template."""
    invoice = Invoice.objects.select_related("organisation").get(pk=invoice_id)
    root = make.member(invoice.organisation)
    second = make.organisation(customer_since=date(2026, 10, 1))
    make.member(second, email=root.user.email)
    client = Client(headers={"host": "localhost"})
    client.force_login(root.user)
    address = {"organisation": invoice.organisation.public_id, "invoice": invoice.public_id}
    hello, stored = reverse("home"), reverse("invoice_pdf", kwargs=address)

    def get(url: str) -> None:
        for _ in range(GETS):
            assert client.get(url).status_code == 200

    floor = Variant("signed-in start page", run=lambda _: get(hello))
    product = Variant("stored PDF", run=lambda _: get(stored))
    taken = rounds.interleaved([floor, product], rounds=how_often, rows=GETS, unit="pages")
    return at_most("G12 stored / hello", slowness(taken, product.name, floor.name), 2)


def _forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE billing_invoicedocument")
        cursor.execute("SET session_replication_role = origin")


def _backend() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return [pid for (pid,) in cursor.fetchall()]


def _all_made(count: int) -> None:
    assert InvoiceDocument.objects.count() == count


if __name__ == "__main__":
    main()
