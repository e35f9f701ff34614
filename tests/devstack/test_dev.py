"""The bootstrap, before there is a virtual environment."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from devstack.places import ROOT


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """./dev as a module, for a checkout of its own with two small locks."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("dev", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "dev", module)
    loader.exec_module(module)

    for name in ("dev", "test"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"# {name}\n")
    (tmp_path / ".local").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "LOCAL", tmp_path / ".local")
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "VENV_PYTHON", tmp_path / ".venv" / "bin" / "python")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return module


def test_an_install_that_was_cut_short_is_done_again(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: object) -> None:
        raise KeyboardInterrupt

    calls: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(dev, "watch", lambda *_: None)
        dev.need_python_packages("dev")
    (dev.ROOT / "requirements" / "dev.txt").write_text("# changed\n")
    with monkeypatch.context() as patched:
        patched.setattr(dev, "watch", cut_short)
        with pytest.raises(KeyboardInterrupt):
            dev.need_python_packages("dev")
    (dev.ROOT / "requirements" / "dev.txt").write_text("# dev\n")
    monkeypatch.setattr(dev, "watch", lambda what, *_: calls.append(what))

    dev.need_python_packages("dev")
    dev.need_python_packages("dev")

    assert calls == ["Python packages of requirements/dev.txt"]


def test_the_larger_lock_satisfies_the_smaller_one_but_not_the_reverse(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "watch", lambda *_: None)

    dev.need_python_packages("dev")
    after_dev = dev.is_installed("dev"), dev.is_installed("test")
    dev.need_python_packages("test")
    after_test = dev.is_installed("dev"), dev.is_installed("test")

    assert after_dev == (True, False)
    assert after_test == (True, True)


def test_a_step_that_fails_says_so_with_the_end_of_its_log(
    dev: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = [sys.executable, "-c", "raise SystemExit('no such package')"]

    with pytest.raises(SystemExit):
        dev.watch("installing", broken, tmp_path / "log", {})

    said = capsys.readouterr().err
    assert "This step failed: installing" in said
    assert "no such package" in said
    assert str(tmp_path / "log") in said


def test_an_ordinary_user_is_told_what_to_install(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = [dev.Need(need.what, lambda: False, need.debian, need.mac) for need in dev.NEEDS[:2]]
    monkeypatch.setattr(dev, "NEEDS", lacking)
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(dev.sys, "platform", "linux")

    with pytest.raises(SystemExit):
        dev.need_system_packages("run")

    assert (
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends "
        "python3-venv libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0\n"
    ) in capsys.readouterr().err


def test_an_unknown_command_is_refused_with_those_there_are() -> None:
    done = subprocess.run(
        [str(ROOT / "dev"), "rum"], capture_output=True, text=True, check=False, timeout=30
    )

    assert done.returncode == 1
    assert "There is no ./dev rum." in done.stderr
    assert "./dev run" in done.stderr
