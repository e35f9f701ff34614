from django.urls import path

from seats.views import account, grouping, importing, listed, registering, several

_IMPORT = "accounts/import/"
_GROUPS = "accounts/groups/"

urlpatterns = [
    path("accounts/", listed.accounts, name="accounts"),
    path("accounts.csv", listed.accounts_csv, name="accounts_csv"),
    path("accounts/register/", registering.register, name="accounts_register"),
    path("accounts/several/", several.several, name="accounts_several"),
    path(_IMPORT, importing.send, name="accounts_import"),
    path(f"{_IMPORT}<uuid:batch>/", importing.batch, name="accounts_import_batch"),
    path(f"{_IMPORT}<uuid:batch>.csv", importing.batch_csv, name="accounts_import_csv"),
    path(_GROUPS, grouping.groups, name="accounts_groups"),
    path(f"{_GROUPS}<uuid:group>/", grouping.group, name="accounts_group"),
    path("accounts/<uuid:account>/", account.account, name="account"),
]
