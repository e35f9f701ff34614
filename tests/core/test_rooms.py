"""The plan of the rooms is a test: none stands outside it, and its contracts hold."""

import subprocess
import sys
import tomllib
from pathlib import Path

from django.apps import apps
from django.conf import settings

PYPROJECT = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PYPROJECT["tool"]["importlinter"]


def test_every_room_has_its_place_in_the_contracts() -> None:
    root: Path = settings.BASE_DIR
    rooms = {app.name for app in apps.get_app_configs() if Path(app.path).parent == root}
    order, settings_only, floors, _, nobody_imports_it, imports_nobody = LINTER["contracts"]
    ours = rooms | {"billing_portal"}

    assert ours | {"gateway_sandbox"} == set(LINTER["root_packages"])
    assert ours == set(nobody_imports_it["source_modules"])
    assert ours | {"django"} == set(imports_nobody["forbidden_modules"])
    assert rooms == set(order["layers"])
    assert rooms == set(settings_only["source_modules"])
    assert rooms == set(floors["containers"])


def test_every_rules_module_is_under_the_contract_of_purity() -> None:
    pure = set(LINTER["contracts"][3]["source_modules"])
    found = {
        f"{path.parent.name}.rules"
        for path in settings.BASE_DIR.glob("*/rules*")
        if path.suffix in {".py", ""}
    }

    assert found == pure


def test_the_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(lint), "--no-cache"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
