"""I18: nothing of one organisation points at another's. Found from the catalogue and the models."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, models

from core.books import Check, Scope, rows


class _Key(NamedTuple):
    """A reference between two tables that both name an organisation, without that column."""

    child: str
    columns: tuple[str, ...]
    parent: str
    referred: tuple[str, ...]


_COLUMN = "organisation_id"
_ORGANISATION = "accounts_organisation"


def _strangers(scope: Scope) -> Iterator[Mapping[str, object]]:
    tables = _tables()
    for table in sorted(tables):
        yield from _without_organisation(table)
    for key in sorted(_declared(tables) | _modelled(tables)):
        yield from _across(key)


def _tables() -> set[str]:
    """Return every table with the organisation in it; of a partitioned one, the whole."""
    found = rows(
        """
        SELECT c.relname AS name FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
        WHERE a.attname = 'organisation_id' AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        """,
        {},
    )
    return {str(row["name"]) for row in found}


def _declared(tables: set[str]) -> set[_Key]:
    """Return the foreign keys of the database between such tables."""
    found = rows(
        """
        SELECT child.relname AS child, parent.relname AS parent,
               array_agg(a.attname::text ORDER BY k.place) AS columns,
               array_agg(r.attname::text ORDER BY k.place) AS referred
        FROM pg_constraint f
        JOIN pg_class child ON child.oid = f.conrelid
        JOIN pg_class parent ON parent.oid = f.confrelid
        CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(column_, refers, place)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.column_
        JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = k.refers
        WHERE f.contype = 'f' AND NOT child.relispartition
        GROUP BY f.oid, child.relname, parent.relname
        """,
        {},
    )
    keys = set()
    for row in found:
        pairs = [
            pair
            for pair in zip(_names(row["columns"]), _names(row["referred"]), strict=True)
            if pair != (_COLUMN, _COLUMN)
        ]
        if row["child"] in tables and row["parent"] in tables and pairs:
            columns, referred = zip(*pairs, strict=True)
            keys.add(_Key(str(row["child"]), columns, str(row["parent"]), referred))
    return keys


def _names(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"not a list of columns: {value!r}")
    return [str(name) for name in value]


def _modelled(tables: set[str]) -> set[_Key]:
    """Return the references of the models between such tables, also those without a foreign key."""
    keys = set()
    for model in apps.get_models():
        for field in model._meta.concrete_fields:  # noqa: SLF001 - it is Django's published way
            if not isinstance(field, models.ForeignKey):
                continue
            child, column = _place_of(field)
            parent, referred = _place_of(field.target_field)
            if child in tables and parent in tables:
                keys.add(_Key(child, (column,), parent, (referred,)))
    return keys


def _place_of(field: "models.Field[Any, Any]") -> tuple[str, str]:
    """Return the table and the column of a model's field."""
    return field.model._meta.db_table, str(field.column)  # noqa: SLF001 - as above


def _across(key: _Key) -> Iterator[Mapping[str, object]]:
    quote = connection.ops.quote_name
    pairs = list(zip(key.columns, key.referred, strict=True))
    joined = " AND ".join(f"p.{quote(to)} = c.{quote(column)}" for column, to in pairs)
    named = ", ".join(f"c.{quote(column)}::text AS {quote(column)}" for column in key.columns)
    for row in rows(
        f"""
        SELECT {named}, c.organisation_id AS organisation, p.organisation_id AS of_organisation
        FROM {quote(key.child)} c JOIN {quote(key.parent)} p ON {joined}
        WHERE c.organisation_id IS DISTINCT FROM p.organisation_id
        """,  # noqa: S608
        {},
    ):
        yield {"table": key.child, "refers_to": key.parent, **row}


def _without_organisation(table: str) -> Iterator[Mapping[str, object]]:
    quote = connection.ops.quote_name
    for row in rows(
        f"""
        SELECT c.organisation_id AS organisation, count(*) AS rows FROM {quote(table)} c
        LEFT JOIN {quote(_ORGANISATION)} o ON o.id = c.organisation_id
        WHERE o.id IS NULL AND c.organisation_id IS NOT NULL GROUP BY 1 ORDER BY 1
        """,  # noqa: S608
        {},
    ):
        yield {"table": table, **row}


TENANCY = (
    Check("I18", "a row belongs to another organisation than what it refers to", _strangers),
)
