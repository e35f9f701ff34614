from django.contrib import admin

from accounts.models import Membership, Organisation, User


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list for the back office to read; changes go through services."""

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False


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
