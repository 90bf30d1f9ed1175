"""Rate limit, revocation and tenant epoch: what the gate asks Redis, in one call."""

import contextlib
import hashlib
from importlib.resources import files

import hiredis
import msgspec

from insula.http.redis_line import RedisDown, RedisLine

SCRIPT = files("insula.http").joinpath("admission.lua").read_text()
_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class Policy:
    """A rate limit: ``per_minute`` requests evenly, up to ``burst`` at once."""

    def __init__(self, name: str, per_minute: int, burst: int) -> None:
        self.name = name
        self.burst = burst
        self.interval = max(1, 60_000_000 // per_minute)
        """Microseconds between two conforming requests."""
        window = max(1, self.interval * burst // 1_000_000)
        self.header = f'"{name}";q={burst};w={window}'.encode()
        """``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-11)."""
        self.standing = f'"{name}";r=%d;t=%d'.encode()
        """``RateLimit`` (the same), to be filled with remaining requests and seconds."""
        self.arguments = (str(self.interval), str(burst))


class Verdict(msgspec.Struct, frozen=True):
    """Redis' answer. ``down`` means that it could not be asked."""

    allowed: bool = True
    remaining: int = 0
    reset: float = 0.0
    """Seconds until the whole burst is available again."""
    retry: float = 0.0
    """Seconds until the next request conforms; 0 when this one did."""
    epoch: int | None = None
    revoked: bool = False
    not_before: float = 0.0
    """Tokens issued before this time (Unix seconds) are void."""
    down: bool = False


DOWN = Verdict(down=True)


def epoch_key(tenant_id: object) -> str:
    return f"epoch:{tenant_id}"


def revoked_key(session_id: object) -> str:
    return f"revoked:{session_id}"


def not_before_key(user_id: object) -> str:
    return f"nbf:{user_id}"


async def admit(
    line: RedisLine,
    policy: Policy,
    bucket: str,
    *,
    tenant: object = "",
    session: object = "",
    user: object = "",
    cost: int = 1,
) -> Verdict:
    """Ask once. A Redis that is down, slow or fresh answers :data:`DOWN` instead of an error."""
    try:
        answer = await line.call(
            "EVALSHA",
            _SHA,
            "4",
            f"rate:{policy.name}:{bucket}",
            epoch_key(tenant),
            revoked_key(session),
            not_before_key(user),
            *policy.arguments,
            str(cost),
        )
    except RedisDown:
        return DOWN
    except hiredis.ReplyError as error:
        if str(error).startswith("NOSCRIPT"):  # somebody flushed the scripts: there next time
            with contextlib.suppress(RedisDown):
                line.call("SCRIPT", "LOAD", SCRIPT)
        return DOWN
    allowed, remaining, reset, retry, epoch, revoked, not_before = answer
    return Verdict(
        allowed == 1,
        remaining,
        reset / 1e6,
        retry / 1e6,
        None if epoch is None else int(epoch),
        revoked == 1,
        0.0 if not_before is None else float(not_before),
    )
