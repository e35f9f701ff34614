"""The questions of the pages of accounts, and their answers as clean values."""

import uuid
from collections.abc import Sequence

from django import forms
from django.contrib.auth import password_validation
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from accounts.enums import Role
from accounts.models import User
from seats.enums import Sort, Status
from seats.forms import files
from seats.models import Group
from seats.queries.accounts import Search
from seats.rules.import_rows import LONGEST_NAME, Row
from seats.rules.writing import address, plain
from seats.services.groups import LONGEST_NAME as LONGEST_GROUP

AUTO = "auto"

ROLES = [
    (Role.MEMBER.value, _("Member: signs in, opens no billing page")),
    (Role.MANAGER.value, _("Manager: also sees the usage")),
]


def _group_choices(groups: Sequence[Group]) -> list[tuple[str, str]]:
    return [(str(each.public_id), each.name) for each in groups]


class AccountSearch(forms.Form):
    """What accounts are looked up by; everything may be left out."""

    text = forms.CharField(label=_("Name or e-mail"), required=False, max_length=120)
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("any")), *Status.choices]
    )
    role = forms.ChoiceField(
        label=_("Role"), required=False, choices=[("", _("any")), *Role.choices]
    )
    group = forms.ChoiceField(label=_("Group"), required=False)
    sort = forms.ChoiceField(label=_("Sort by"), required=False, choices=Sort.choices)

    use_required_attribute = False

    def __init__(self, *args: object, groups: Sequence[Group], **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what a form takes
        self._groups = {str(each.public_id): each.pk for each in groups}
        choice = self.fields["group"]
        assert isinstance(choice, forms.ChoiceField)  # noqa: S101 - as it stands above
        choice.choices = [
            ("", _("any")),
            (AUTO, _("Auto Deactivation")),
            *_group_choices(groups),
        ]

    def search(self) -> Search:
        """Return what was asked for; what is not valid is left out."""
        asked = self.cleaned_data
        group = asked.get("group", "")
        return Search(
            text=asked.get("text", "").strip(),
            status=Status(asked["status"]) if asked.get("status") else None,
            role=Role(asked["role"]) if asked.get("role") else None,
            group_id=self._groups.get(group),
            is_automatic=group == AUTO,
            sort=Sort(asked["sort"]) if asked.get("sort") else Sort.NEWEST,
        )

    @property
    def asks(self) -> bool:
        """Whether anything was asked for that may leave accounts out."""
        return any(self.data.get(name) for name in self.fields if name != "sort")


class _Address(forms.EmailField):
    def to_python(self, value: object) -> str:
        return address(str(super().to_python(value) or ""))


class Registration(forms.Form):
    """One account to be registered."""

    email = _Address(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("The person signs in with it. The invitation goes there."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=ROLES)
    groups = forms.MultipleChoiceField(
        label=_("Groups"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: object, groups: Sequence[Group], **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what a form takes
        self._groups = {str(each.public_id): each.pk for each in groups}
        if not groups:
            del self.fields["groups"]
            return
        choice = self.fields["groups"]
        assert isinstance(choice, forms.MultipleChoiceField)  # noqa: S101 - as it stands above
        choice.choices = _group_choices(groups)

    def clean_name(self) -> str:
        return plain(str(self.cleaned_data["name"]))

    @property
    def chosen_role(self) -> Role:
        return Role(self.cleaned_data["role"])

    @property
    def group_ids(self) -> list[int]:
        return [self._groups[each] for each in self.cleaned_data.get("groups", [])]


class RoleChange(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=ROLES)


class GroupName(forms.Form):
    name = forms.CharField(
        label=_("Name of the group"),
        max_length=LONGEST_GROUP,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class ImportFile(forms.Form):
    """A file of accounts. `rows` are what stands in it, once the form is valid."""

    operation = forms.UUIDField(widget=forms.HiddenInput)
    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("At most 1 MB and 10,000 rows, in UTF-8 or Shift_JIS. The file is not kept."),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"empty": _("The file is empty.")},
    )

    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what a form takes
        self.rows: list[Row] = []
        self.fields["operation"].initial = uuid.uuid4

    def clean_file(self) -> None:
        sent: UploadedFile[bytes] = self.cleaned_data["file"]
        try:
            self.rows = files.rows(sent.read(files.LARGEST + 1))
        except files.WrongFile as fault:
            raise forms.ValidationError(_told(fault)) from fault


class NewPassword(forms.Form):
    """The password that an invited person chooses, twice."""

    password = forms.CharField(
        label=_("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters; a sentence is good."),
    )
    again = forms.CharField(
        label=_("New password (again)"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: object, user: User, **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what a form takes
        self._user = user

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        password_validation.validate_password(password, self._user)
        return password

    def clean(self) -> dict[str, object]:
        given = self.cleaned_data
        if "password" in given and "again" in given and given["password"] != given["again"]:
            self.add_error("again", _("The two passwords are not the same."))
        return given


def _told(fault: files.WrongFile) -> str:
    match fault:
        case files.TooLarge():
            return str(_("The file is larger than 1 MB. Send it in parts."))
        case files.TooManyRows():
            return str(_("The file has more than 10,000 rows. Send it in parts."))
        case files.NotText():
            return str(_("This is no text file in UTF-8 or Shift_JIS. Save it as CSV."))
        case files.NotCsv():
            return str(_("This is no CSV: a quotation mark is opened and not closed."))
        case files.HeadingTwice():
            return str(_("The first line names a column twice."))
        case files.NoRows():
            return str(_("Nothing stands under the first line."))
        case _:
            return str(
                _(
                    "The first line must name the columns: email, and if you like name, role and"
                    " groups."
                )
            )
