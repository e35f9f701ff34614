from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.models import Membership, Organisation, User
from core.admin import ReadOnly

# Both come with pages that write past the services: an address added there would count as confirmed,
# and whoever reads its mail could sign in as that user.
admin.site.unregister([EmailAddress, Group])


@admin.register(Organisation)
class OrganisationAdmin(ReadOnly):
    list_display = ["name", "reference", "country", "currency", "customer_since", "closed_on"]
    search_fields = ["name", "reference", "billing_name"]


@admin.register(User)
class UserAdmin(ReadOnly):
    list_display = ["email", "name", "is_staff", "is_active", "registered_at"]
    search_fields = ["email", "name"]
    exclude = ["password"]


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    list_display = ["organisation", "user", "role", "registered_at", "deactivated_at"]
    list_select_related = ["organisation", "user"]
