from typing import Any

from django.core.cache import cache

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
