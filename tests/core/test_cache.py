from typing import Any, cast

from django.core.cache import cache, caches

from core.cache import RedisOrLocalCache

NOBODY_THERE = "redis://127.0.0.1:1/0"


def _cache_without_redis() -> RedisOrLocalCache:
    params: dict[str, Any] = {"OPTIONS": {"socket_connect_timeout": 1}}
    return RedisOrLocalCache(NOBODY_THERE, params)


def test_counts_are_shared_through_redis() -> None:
    cache.set("tries", 1)

    cache.incr("tries")

    assert cache.get("tries") == 2


def test_limits_still_count_while_redis_is_away() -> None:
    away = _cache_without_redis()

    assert away.add("tries", 1)
    assert not away.add("tries", 1)
    assert away.incr("tries") == 2
    assert away.get("tries") == 2
    away.delete("tries")
    assert away.get("tries") is None
    assert [away.count("asked", 60) for _ in range(3)] == [1, 2, 3]


def test_what_is_counted_is_counted_for_every_process_and_forgotten_in_time() -> None:
    one, other = (cast("RedisOrLocalCache", caches.create_connection("default")) for _ in range(2))

    counted = [one.count("asked", 60), other.count("asked", 60), one.count("else", 60)]

    assert counted == [1, 2, 1]
    name = one.make_and_validate_key("asked")
    assert 0 < one._cache.get_client(name).ttl(name) <= 60
