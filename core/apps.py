from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        # Celery's own autodiscovery is lazy: without this, a web process knows no job by name.
        autodiscover_modules("tasks")
        autodiscover_modules("books")
