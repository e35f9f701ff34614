from django.urls import path

from payments.views import journeys, methods, pay, receipts

_INVOICE = "invoices/<uuid:invoice>/"
_METHODS = "payment-methods/"

urlpatterns = [
    path(f"{_INVOICE}pay/", pay.pay, name="invoice_pay"),
    path(f"{_INVOICE}receipt/", receipts.receipt, name="receipt"),
    path(f"{_INVOICE}receipt.pdf", receipts.receipt_pdf, name="receipt_pdf"),
    path("payments/return/<str:state>/", pay.come_back, name="payment_return"),
    path("payments/cancel/<str:state>/", pay.turn_back, name="payment_cancel"),
    path(f"{_METHODS}add/", methods.add, name="payment_method_add"),
    path(f"{_METHODS}add/<str:gateway>/", methods.registration, name="payment_method_form"),
    path(f"{_METHODS}return/<str:state>/", journeys.come_back, name="payment_method_return"),
    path(f"{_METHODS}cancel/<str:state>/", journeys.turn_back, name="payment_method_cancel"),
    path(f"{_METHODS}support/", methods.ask_support, name="payment_method_support"),
]
