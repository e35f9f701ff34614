"""What the lines of a file of accounts say, and what is wrong with them. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts.enums import Role
from seats.enums import Problem
from seats.rules.writing import address, plain

MOST_ROWS = 10_000
LONGEST_NAME = 120
LONGEST_GROUP = 80
LONGEST_ABOUT = 120

# What a column may be called, in lower case; what is called otherwise is passed over.
_HEADINGS = {
    "email": (
        "email",
        "e-mail",
        "email address",
        "e-mail address",
        "mail",
        "メールアドレス",
        "メール",
    ),
    "name": ("name", "full name", "氏名", "名前", "お名前"),
    "role": ("role", "役割", "権限"),
    "groups": ("groups", "group", "グループ"),
}
_ROLES = {
    "": Role.MEMBER,
    "member": Role.MEMBER,
    "メンバー": Role.MEMBER,
    "manager": Role.MANAGER,
    "マネージャー": Role.MANAGER,
    "root": Role.ROOT,
    "root account": Role.ROOT,
    "ルートアカウント": Role.ROOT,
}
_BETWEEN_GROUPS = ";"
# What core.tables writes before a text that could be read as a formula.
_KEPT_FROM_RUNNING = "'"
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


class NoHeading(ValueError):
    """No column of the first line is called as the addresses' column must be."""


class HeadingTwice(ValueError):
    """Two columns of the first line are called the same."""


class TooManyRows(ValueError):
    """There are more than 10,000 rows."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file. `problem`, `about`: what is wrong, and the word or line that it is about."""

    line: int
    email: str
    name: str = ""
    role: Role = Role.MEMBER
    groups: tuple[str, ...] = ()
    problem: Problem | None = None
    about: str = ""


def columns(heading: Sequence[str]) -> Mapping[str, int]:
    """Return where the columns stand: email, and name, role, groups if there are such.

    Raises NoHeading, HeadingTwice.
    """
    found: dict[str, int] = {}
    for index, cell in enumerate(heading):
        called = " ".join(cell.casefold().split())
        column = next((name for name, words in _HEADINGS.items() if called in words), None)
        if column is None:
            continue
        if column in found:
            raise HeadingTwice(cell)
        found[column] = index
    if "email" not in found:
        raise NoHeading
    return found


def rows(
    records: Iterable[tuple[int, Sequence[str]]],
    places: Mapping[str, int],
    *,
    width: int,
    is_address: Callable[[str], bool],
    is_reserved: Callable[[str], bool],
) -> list[Row]:
    """Return the lines as rows, each with the first thing that is wrong with it; empty lines are none.

    An address that stands twice is wrong from the second time on. `width`: how many columns there are;
    `is_reserved`: no group of the root's can be called so. Raises TooManyRows, and reads no further.
    """
    lines_of: dict[str, int] = {}
    read = []
    for line, record in records:
        if not any(cell.strip() for cell in record):
            continue
        cells = {column: _cell(record, index) for column, index in places.items()}
        row = _row(line, cells, is_address, is_reserved)
        if row.problem is None and row.email in lines_of:
            row = _wrong(line, cells, Problem.TWICE, str(lines_of[row.email]))
        elif any(cell.strip() for cell in record[width:]):
            row = _wrong(line, cells, Problem.COLUMNS)
        lines_of.setdefault(row.email, line)
        read.append(row)
        if len(read) > MOST_ROWS:
            raise TooManyRows
    return read


def _row(
    line: int,
    cells: Mapping[str, str],
    is_address: Callable[[str], bool],
    is_reserved: Callable[[str], bool],
) -> Row:
    email = address(cells["email"])
    name = plain(cells.get("name", ""))
    typed = cells.get("role", "")
    role = _ROLES.get(typed.casefold())
    groups = _groups(cells.get("groups", ""))
    bad = next((each for each in groups if len(each) > LONGEST_GROUP or is_reserved(each)), None)
    if not email:
        return _wrong(line, cells, Problem.NO_ADDRESS)
    if not is_address(email):
        return _wrong(line, cells, Problem.BAD_ADDRESS, email)
    if len(name) > LONGEST_NAME:
        return _wrong(line, cells, Problem.LONG_NAME)
    if role is None:
        return _wrong(line, cells, Problem.BAD_ROLE, typed)
    if role == Role.ROOT:
        return _wrong(line, cells, Problem.ROOT)
    if bad is not None:
        return _wrong(line, cells, Problem.BAD_GROUP, bad)
    return Row(line, email, name, role, groups)


def _wrong(line: int, cells: Mapping[str, str], problem: Problem, about: str = "") -> Row:
    return Row(
        line,
        address(cells["email"])[:254],
        plain(cells.get("name", ""))[:LONGEST_NAME],
        problem=problem,
        about=about[:LONGEST_ABOUT],
    )


def _groups(written: str) -> tuple[str, ...]:
    """Return the groups of a cell, each once, as they are written."""
    found: dict[str, str] = {}
    for part in written.split(_BETWEEN_GROUPS):
        name = plain(part)
        if name:
            found.setdefault(name.casefold(), name)
    return tuple(found.values())


def _cell(record: Sequence[str], index: int) -> str:
    cell = record[index].strip() if index < len(record) else ""
    if cell.startswith(_KEPT_FROM_RUNNING) and cell[1:].startswith(_FORMULA):
        return cell[1:]
    return cell
