from django.urls import path

from pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("o/<uuid:organisation>/usage/", views.usage, name="usage"),
    path("o/<uuid:organisation>/usage.csv", views.usage_csv, name="usage_csv"),
    path("o/<uuid:organisation>/invoices/", views.invoices, name="invoices"),
    path("o/<uuid:organisation>/invoices/orders/", views.orders, name="invoice_orders"),
    path("o/<uuid:organisation>/invoices/<uuid:invoice>/", views.invoice, name="invoice"),
    path("components/", views.components, name="components"),
]
