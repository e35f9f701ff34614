"""On which line of a TOML text a key stands: tomllib does not tell.

Knows as much of TOML as it takes to walk a text that tomllib has read without complaint.
"""

import re
from bisect import bisect_right

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


class Lines:
    """The line (from 1) of every key path of a valid text; array items are counted from 0."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lines: dict[Path, int] = {}
        self._items: dict[Path, int] = {}
        self._walk()

    def of(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest table or key around it."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 1

    def _walk(self) -> None:
        table: Path = ()
        while self._skip():
            if self._take("[["):
                table = self._array_table()
            elif self._take("["):
                line = self._line()
                table = self._resolve(self._key())
                self._note(table, line)
                self._take("]")
            else:
                self._pair(table)

    def _array_table(self) -> Path:
        line = self._line()
        keys = self._key()
        path = (*self._resolve(keys[:-1]), keys[-1])
        index = self._items.get(path, -1) + 1
        self._items[path] = index
        self._note((*path, index), line)
        self._take("]]")
        return (*path, index)

    def _resolve(self, keys: Path) -> Path:
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._items:
                path = (*path, self._items[path])
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = (*table, *self._key())
        self._note(path, line)
        self._take("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        if self._take("["):
            index = 0
            while self._skip() and not self._take("]"):
                self._note((*path, index), self._line())
                self._value((*path, index))
                index += 1
                self._skip()
                self._take(",")
        elif self._take("{"):
            while self._skip() and not self._take("}"):
                self._pair(path)
                self._skip()
                self._take(",")
        else:
            self._match(_STRING) or self._match(_SCALAR)

    def _key(self) -> Path:
        keys: list[str | int] = []
        while True:
            self._skip()
            part = self._match(_STRING) or self._match(_BARE_KEY)
            keys.append(part[1:-1] if part[:1] in {'"', "'"} else part)
            self._skip()
            if not self._take("."):
                return tuple(keys)

    def _note(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self._lines.setdefault(path[:end], line)

    def _skip(self) -> bool:
        self._match(_BLANK)
        return self._at < len(self._text)

    def _take(self, mark: str) -> bool:
        self._match(_BLANK)
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)
