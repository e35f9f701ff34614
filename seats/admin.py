"""Accounts in the back office: to be read. What is done with them, a root does. Rule: R12."""

from django.contrib import admin

from core.admin import ReadOnly
from seats.models import AccountImport, Deactivation, Group, Invitation


@admin.register(Deactivation)
class DeactivationAdmin(ReadOnly):
    list_display = [
        "organisation",
        "cause",
        "due_at",
        "at",
        "capacity",
        "in_use",
        "count",
        "flagged",
    ]
    list_select_related = ["organisation"]
    list_filter = ["cause"]
    search_fields = ["organisation__reference", "organisation__name"]
    ordering = ["-due_at", "-id"]
    show_full_result_count = False


@admin.register(Group)
class GroupAdmin(ReadOnly):
    list_display = ["name", "organisation", "created_at"]
    list_select_related = ["organisation"]
    search_fields = ["organisation__reference", "organisation__name"]
    ordering = ["organisation", "name"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ["membership", "sent_at", "expires_at", "used_at"]
    list_select_related = ["membership__user"]
    search_fields = ["=membership__user__email", "membership__organisation__reference"]
    exclude = ["token_digest"]
    ordering = ["-sent_at", "-id"]
    show_full_result_count = False


@admin.register(AccountImport)
class AccountImportAdmin(ReadOnly):
    list_display = ["organisation", "state", "created_by", "created_at", "confirmed_at", "done_at"]
    list_select_related = ["organisation", "created_by"]
    list_filter = ["state"]
    search_fields = ["organisation__reference", "organisation__name"]
    ordering = ["-created_at", "-id"]
    show_full_result_count = False
