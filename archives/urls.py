from django.urls import path

from archives.views import archives

urlpatterns = [
    path("archive/", archives.archive, name="archive"),
    path("archive/<uuid:archive>.zip", archives.fetch, name="archive_file"),
]
