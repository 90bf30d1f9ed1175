-- A place for one connection among those that a tenant, and a user, may have open on all replicas.
-- Places expire unless they are renewed, so those of a replica that died become free.
--
-- KEYS connections by the time at which they expire, of the tenant and of the user
-- ARGV[1] the connection    ARGV[2] milliseconds until it expires    ARGV[3…] most, for each key
--
-- Returns 0, or which key is full.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for nth, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if redis.call('ZCARD', key) >= tonumber(ARGV[2 + nth])
    and not redis.call('ZSCORE', key, ARGV[1]) then
    return nth
  end
end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', key, ARGV[2])
end
return 0
