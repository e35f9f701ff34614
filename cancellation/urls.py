from django.urls import path

from cancellation.views import contract, ending, receipts

urlpatterns = [
    path("contract/", contract.contract, name="contract"),
    path("cancellation/", ending.begin, name="cancellation"),
    path("cancellation/withdraw/", ending.withdraw, name="cancellation_withdraw"),
    path("cancellation/reopen/", ending.reopen, name="cancellation_reopen"),
    path("cancellation/<uuid:review>/confirm/", ending.confirm, name="cancellation_confirm"),
    path("cancellation/<uuid:cancellation>/", receipts.receipt, name="cancellation_receipt"),
    path(
        "cancellation/<uuid:cancellation>/receipt.pdf",
        receipts.receipt_pdf,
        name="cancellation_receipt_pdf",
    ),
]
