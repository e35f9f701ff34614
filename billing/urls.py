from django.urls import path

from billing import views

_INVOICE = "invoices/<uuid:invoice>/"
_LINE = f"{_INVOICE}lines/<int:position>/"

urlpatterns = [
    path(f"{_INVOICE}lines.csv", views.invoice_csv, name="invoice_csv"),
    path(f"{_INVOICE}document/", views.invoice_document, name="invoice_document"),
    path(f"{_INVOICE}pdf", views.invoice_pdf, name="invoice_pdf"),
    path(_LINE, views.invoice_line, name="invoice_line"),
    path(f"{_LINE}tiers.csv", views.invoice_tiers_csv, name="invoice_tiers_csv"),
    path(f"{_LINE}days.csv", views.invoice_days_csv, name="invoice_days_csv"),
    path(f"{_LINE}days/<str:day>/", views.invoice_day, name="invoice_day"),
    path(f"{_LINE}days/<str:day>/events.csv", views.invoice_day_csv, name="invoice_day_csv"),
]
