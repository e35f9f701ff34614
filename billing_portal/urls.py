from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from core.views import healthz
from ordering import api
from payments.views.notices import notice
from seats.views.invitation import invitation

urlpatterns = [
    path("", include("pages.urls")),
    path("o/<uuid:organisation>/", include("seats.urls")),
    path("o/<uuid:organisation>/", include("billing.urls")),
    path("o/<uuid:organisation>/", include("payments.urls")),
    path("o/<uuid:organisation>/", include("ordering.urls")),
    path("o/<uuid:organisation>/", include("cancellation.urls")),
    path("o/<uuid:organisation>/", include("archives.urls")),
    path("invitation/<str:token>/", invitation, name="invitation"),
    path("healthz", healthz, name="healthz"),
    path("api/v1/", include("usage.urls")),
    path(
        "api/v1/organisations/<path:reference>/entitlements",
        api.entitlements,
        name="api_entitlements",
    ),
    path(
        "api/v1/organisations/<path:reference>/accounts/<path:email>",
        api.account,
        name="api_account",
    ),
    path("api/v1/openapi.json", api.openapi, name="api_description"),
    path("notices/<slug:gateway>/", notice, name="notice"),
    path("language/", set_language, name="set_language"),
    path("account/", include("allauth.account.urls")),
    # The access matrix lets staff in; who is not signed in goes to the portal's own sign-in page.
    path("back-office/", admin.site.urls),
]

if not settings.PRODUCTION:
    urlpatterns += [path("", include("demo.urls"))]

handler500 = "core.views.server_error"
