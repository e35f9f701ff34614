import os
from pathlib import Path

import pytest

from devstack import places
from devstack.places import Account

STRANGER = Account(uid=54_321, gid=54_321)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose servers run as a stranger, who cannot enter pytest's own folders."""
    monkeypatch.setattr(places, "OUTSIDE", tmp_path / "outside")
    monkeypatch.setattr(places, "server_account", lambda: STRANGER)
    folder = tmp_path / "checkout"
    (folder / ".local").mkdir(parents=True)
    return folder


def test_can_enter_asks_for_every_folder_on_the_way(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    inner.parent.chmod(0o700)

    assert not STRANGER.can_enter(inner)
    assert Account(os.geteuid(), os.getegid()).can_enter(inner)


def test_servers_that_cannot_enter_the_checkout_have_their_data_outside(checkout: Path) -> None:
    checkout.chmod(0o700)

    state = places.kept_state("run", local=checkout / ".local")

    assert state.folder == checkout / ".local" / "run"
    assert state.servers == places.outside_of(checkout) / "run"
    assert (places.outside_of(checkout) / "checkout").read_text() == f"{checkout}\n"


def test_data_outside_are_found_again_after_the_way_was_opened(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.chmod(0o700)
    before = places.kept_state("run", local=checkout / ".local")
    monkeypatch.setattr(Account, "can_enter", lambda *_: True)

    after = places.kept_state("run", local=checkout / ".local")

    assert after == before


def test_a_throwaway_state_leaves_nothing_inside_or_outside(checkout: Path) -> None:
    checkout.chmod(0o700)

    with places.throwaway_state("test", local=checkout / ".local") as state:
        assert state.servers.exists()

    assert not state.folder.exists()
    assert not state.servers.exists()


def test_a_throwaway_state_removes_what_a_killed_command_left_and_nothing_in_use(
    checkout: Path,
) -> None:
    left = checkout / ".local" / "test" / "0badcafe"
    left.mkdir(parents=True)

    local = checkout / ".local"
    with (
        places.throwaway_state("test", local=local) as first,
        places.throwaway_state("test", local=local) as second,
    ):
        assert first.folder.exists()
        assert second.folder != first.folder

    assert not left.exists()


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = places.kept_secret(tmp_path / "secret")
    second = places.kept_secret(tmp_path / "secret")

    assert first == second
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
