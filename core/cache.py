"""The shared cache, which may be away."""

import logging
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooSlow

log = logging.getLogger(__name__)

_AWAY = (Unreachable, TooSlow)


class RedisOrLocalCache(RedisCache):
    """Redis; while it is away, a cache of this process, so that sign-in limits still hold. Rule: F21."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._local = LocMemCache("redis-away", {"TIMEOUT": 300})

    def _or_local(self, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(), method)(*args, **kwargs)
        except _AWAY:
            log.warning("the cache is away; using this process's own")
            return getattr(self._local, method)(*args, **kwargs)

    def count(self, key: str, seconds: int) -> int:
        """Return how often `key` was counted in `seconds` from the first time on, this time included."""
        try:
            return self._count(self.make_and_validate_key(key), seconds)
        except _AWAY:
            log.warning("the cache is away; using this process's own")
            self._local.add(key, 0, seconds)
            return int(self._local.incr(key))

    def _count(self, key: str, seconds: int) -> int:
        # Once there and back, where `add` and `incr` go three times.
        client = self._cache.get_client(key, write=True)
        counted = int(client.incr(key))
        if counted == 1:
            client.expire(key, seconds)
        return counted

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("set", *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("touch", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("delete", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("incr", *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_local("has_key", *args, **kwargs)
