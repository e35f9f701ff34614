from django.urls import path

from pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("o/<uuid:organisation>/usage/", views.usage, name="usage"),
    path("o/<uuid:organisation>/usage.csv", views.usage_csv, name="usage_csv"),
    path("components/", views.components, name="components"),
]
