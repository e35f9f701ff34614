from django.urls import path

from usage import api

urlpatterns = [path("usage/events", api.events, name="api_usage_events")]
