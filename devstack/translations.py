"""Catalogues of translations: compiled for use, and compared with what the code says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from devstack.places import ROOT

LANGUAGE = "ja"  # the source language, English, needs no catalogue
CATALOGUE = Path("locale", LANGUAGE, "LC_MESSAGES", "django.po")
PLACEHOLDER = re.compile(r"%\(\w+\)s")
NOT_TRANSLATED = shutil.ignore_patterns(
    ".*", "node_modules", "staticfiles", "tests", "benchmarks", "devstack", "*.mo", "*.sqlite3"
)


def compile_all(root: Path = ROOT) -> None:
    """Write the .mo file beside each .po file that is newer. A reader never sees half a file."""
    for po in root.glob("locale/*/LC_MESSAGES/*.po"):
        mo = po.with_suffix(".mo")
        if mo.exists() and mo.stat().st_mtime_ns > po.stat().st_mtime_ns:
            continue
        fresh = po.with_suffix(f".mo.{os.getpid()}")
        with fresh.open("wb") as output:
            write_mo(output, _read(po))
        fresh.replace(mo)


def main() -> int:
    """Print what the Japanese catalogue lacks; return 1 if that is anything."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "portal")
        shutil.copytree(ROOT, copy, ignore=NOT_TRANSLATED)
        committed = copy / CATALOGUE
        known = {_key(message) for message in _read(committed)} if committed.exists() else set()
        extract(copy)
        faults = list(faults_of(_read(committed), known)) if committed.exists() else []
    for fault in faults:
        print(fault)
    if faults:
        print(f"{len(faults)} entries of {CATALOGUE} need work. To have the missing ones added:")
        print(f"  ./dev manage makemessages -l {LANGUAGE} --no-location")
    return 1 if faults else 0


def extract(folder: Path) -> None:
    """Bring the catalogue of a copy of the sources up to what the sources say."""
    (folder / CATALOGUE).parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "django", "makemessages", "-l", LANGUAGE, "-v", "0"]
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=folder, env=environment, check=True)


def faults_of(catalogue: Catalog, known: set[object]) -> Iterator[str]:
    """Yield in words what is wrong with an extracted catalogue; `known` are the committed keys."""
    for message in catalogue:
        if not message.id:
            continue
        where = message.locations[0][0] if message.locations else "?"
        if _key(message) not in known:
            yield f"missing: {message.id!r} ({where})"
        elif not _is_translated(message):
            yield f"untranslated: {message.id!r} ({where})"
        elif message.fuzzy:
            yield f"fuzzy: {message.id!r} ({where})"
        elif not _has_its_placeholders(message):
            yield f"placeholders differ: {message.id!r} ({where})"


def _is_translated(message: Message) -> bool:
    return all(_texts(message.string))


def _has_its_placeholders(message: Message) -> bool:
    """Return whether the translation names the values that the sentence gives it.

    In a plural one form may leave a value out ("one day"); none may ask for another.
    """
    offered = {name for text in _texts(message.id) for name in PLACEHOLDER.findall(text)}
    used = [set(PLACEHOLDER.findall(text)) for text in _texts(message.string)]
    if message.pluralizable:
        return all(names <= offered for names in used)
    return used == [offered]


def _texts(value: str | list[str] | tuple[str, ...] | None) -> Sequence[str]:
    if value is None:
        return [""]
    return [value] if isinstance(value, str) else value


def _key(message: Message) -> object:
    return message.context, message.id


def _read(file: Path) -> Catalog:
    with file.open("rb") as source:
        return read_po(source, locale=LANGUAGE)


if __name__ == "__main__":
    sys.exit(main())
