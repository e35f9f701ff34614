from django.apps import AppConfig


class SpotOrdersConfig(AppConfig):
    name = "spot_orders"
