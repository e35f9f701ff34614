from django.urls import path

from cancellation.views import contract, ending

urlpatterns = [
    path("contract/", contract.contract, name="contract"),
    path("cancellation/", ending.begin, name="cancellation"),
    path("cancellation/withdraw/", ending.withdraw, name="cancellation_withdraw"),
    path("cancellation/reopen/", ending.reopen, name="cancellation_reopen"),
    path("cancellation/<uuid:review>/confirm/", ending.confirm, name="cancellation_confirm"),
    path("cancellation/<uuid:cancellation>/", ending.receipt, name="cancellation_receipt"),
]
