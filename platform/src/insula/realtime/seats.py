"""How many live connections a tenant, and one of its users, may have."""

from insula.http.exchange import Exchange
from insula.http.redis_line import RedisDown, RedisLine
from insula.i18n import say
from insula.realtime.errors import TooManyConnections
from insula.realtime.log import SEAT, prefix_of


class Seats:
    """Counted over all replicas, in Redis; while it is down, nobody is turned away."""

    def __init__(self, redis: RedisLine, *, per_tenant: int, per_user: int, expiry: str) -> None:
        self._redis = redis
        self._expiry = expiry
        self._per_tenant = str(per_tenant)
        self._per_user = str(per_user)

    async def take(self, exchange: Exchange, connection: str) -> None:
        """Take a place, or keep it.

        Raises:
            TooManyConnections: there is none.
        """
        if exchange.tenant is None:
            return
        prefix = prefix_of(exchange.tenant.key)
        keys, limits = [f"{prefix}@seats"], [self._per_tenant]
        if exchange.user:
            keys.append(f"{prefix}@seats:{exchange.user}")
            limits.append(self._per_user)
        try:
            full = await SEAT.run(self._redis, keys, connection, self._expiry, *limits)
        except RedisDown:
            return
        if full:
            whose, limit = ("tenant", self._per_tenant), ("user", self._per_user)
            name, most = (whose, limit)[full - 1]
            raise TooManyConnections(
                say("This {name} has {most} open already.", name=name, most=most)
            )

    async def give_back(self, exchange: Exchange, connection: str) -> None:
        if exchange.tenant is None:
            return
        prefix = prefix_of(exchange.tenant.key)
        try:
            self._redis.call("ZREM", f"{prefix}@seats", connection)
            if exchange.user:
                self._redis.call("ZREM", f"{prefix}@seats:{exchange.user}", connection)
        except RedisDown:
            return
