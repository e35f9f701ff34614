import tomllib

from plans.rules.toml_lines import Lines, Path

TEXT = '''# a comment = 1
[vendor]
name = { ja = "[あ]", en = "b # no comment" }
"quoted key" = 1
a.b = 2001-01-01 00:00:00

[[plan]]            # opened
code = "one"
text = """
[not.a.table]
x = 1 \\""" still
"""
literal = \'\'\'
[[plan]]
\'\'\'
[[plan.version]]
number = 1
tiers = [
  { last_unit = 1, price = { JPY = "1" } },   # first
  # nothing here
  { price = { JPY = "2",  USD = [1, [2,
      3]] } },
]
[[plan.version]]
number = 2
[plan.version.extra]
deep = true
[[plan]]
code = "two"
[[plan.version]]
number = 7
'''

LINES: dict[Path, int] = {
    ("vendor",): 2,
    ("vendor", "name"): 3,
    ("vendor", "name", "en"): 3,
    ("vendor", "quoted key"): 4,
    ("vendor", "a", "b"): 5,
    ("plan", 0): 7,
    ("plan", 0, "code"): 8,
    ("plan", 0, "text"): 9,
    ("plan", 0, "literal"): 13,
    ("plan", 0, "version", 0): 16,
    ("plan", 0, "version", 0, "tiers"): 18,
    ("plan", 0, "version", 0, "tiers", 0, "price", "JPY"): 19,
    ("plan", 0, "version", 0, "tiers", 1): 21,
    ("plan", 0, "version", 0, "tiers", 1, "price", "USD"): 21,
    ("plan", 0, "version", 0, "tiers", 1, "price", "USD", 1, 1): 22,
    ("plan", 0, "version", 1, "number"): 25,
    ("plan", 0, "version", 1, "extra", "deep"): 27,
    ("plan", 1): 28,
    ("plan", 1, "version", 0, "number"): 31,
}


def test_lines_finds_every_kind_of_key() -> None:
    lines = Lines(TEXT)

    assert {path: lines.of(path) for path in LINES} == LINES


def test_lines_gives_the_nearest_line_around_what_is_not_there() -> None:
    lines = Lines(TEXT)

    assert lines.of(("plan", 1, "version", 0, "price", "JPY")) == 30
    assert lines.of(("nowhere",)) == 1


def test_lines_agrees_with_the_keys_that_tomllib_reads() -> None:
    lines = Lines(TEXT)
    written = TEXT.splitlines()

    for path in _paths(tomllib.loads(TEXT), ()):
        if isinstance(path[-1], str):
            assert path[-1] in written[lines.of(path) - 1]


def _paths(value: object, path: Path) -> list[Path]:
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            for found in [(*path, key), *_paths(item, (*path, key))]
        ]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _paths(item, (*path, index))]
    return []
