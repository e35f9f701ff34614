from django.apps import AppConfig


class CancellationConfig(AppConfig):
    name = "cancellation"
