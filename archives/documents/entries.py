"""Which files an archive holds, in their order, each made when its turn comes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from django.template.loader import render_to_string
from django.utils import translation

from accounts.models import Organisation
from archives.documents import files
from archives.queries import records
from billing.queries import invoices
from billing.queries.invoices import Sheet

Make = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive. `invoice_id`: of a document, whose PDF is archived beside its JSON."""

    name: str
    make: Make | None = None
    invoice_id: int | None = None


def entries(of: Organisation) -> list[Entry]:
    """Return what an organisation's archive holds: its data as they are when each file is made."""
    found = [
        Entry("README.txt", partial(_readme, of)),
        Entry("organisation.json", partial(files.organisation, of)),
        Entry("accounts.csv", partial(files.accounts, of)),
        Entry("contracts.json", partial(files.contracts, of)),
        Entry("orders.csv", partial(files.orders, of)),
        Entry("payments.csv", partial(files.payments, of)),
    ]
    found += [
        Entry(f"usage/{month}.csv", partial(files.usage, of, month))
        for month in records.used_months(of)
    ]
    found += [Entry("", invoice_id=each) for each in records.invoices(of)]
    return found


def document(sheet: Sheet, pdf: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the two files of an issued document."""
    yield f"documents/{sheet.number}.pdf", pdf
    yield f"documents/{sheet.number}.json", files.document(sheet)


def sheet(invoice_id: int) -> Sheet:
    return invoices.sheet(invoice_id)


def _readme(of: Organisation) -> bytes:
    with translation.override(of.language):
        return render_to_string("archives/readme.txt", {"organisation": of}).encode()
