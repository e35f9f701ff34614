from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from core.views import healthz

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)

urlpatterns = [
    path("", include("pages.urls")),
    path("healthz", healthz, name="healthz"),
    path("language/", set_language, name="set_language"),
    path("account/", include("allauth.account.urls")),
    path("back-office/", admin.site.urls),
]
