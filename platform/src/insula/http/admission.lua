-- One round trip that answers everything the gate has to ask Redis for a request.
--
-- KEYS[1] rate limit bucket    KEYS[2] tenant epoch
-- KEYS[3] revoked session      KEYS[4] the user's "not before" (tokens issued earlier are void)
-- ARGV[1] emission interval, microseconds a request    ARGV[2] burst, requests
-- ARGV[3] cost, requests; a negative one gives back what was taken
--
-- Rate limiting is GCRA (ITU-T I.371, "Generic Cell Rate Algorithm"): the bucket holds the
-- theoretical arrival time of the next conforming request, in microseconds of Redis' own clock,
-- so replicas with different clocks agree.
--
-- Returns {allowed, remaining, reset_us, retry_us, epoch or false, revoked, not_before or false}.
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval = tonumber(ARGV[1])
local tolerance = interval * tonumber(ARGV[2])
local increment = interval * tonumber(ARGV[3])
local arrival = tonumber(redis.call('GET', KEYS[1])) or now
if arrival < now then arrival = now end
local next_arrival = arrival + increment
local allow_at = next_arrival - tolerance
local allowed, retry = 1, 0
if allow_at > now then
  allowed, retry, next_arrival = 0, allow_at - now, arrival
elseif next_arrival > now then
  local milliseconds = math.ceil((next_arrival - now) / 1000)
  redis.call('SET', KEYS[1], string.format('%.0f', next_arrival), 'PX', milliseconds)
else
  redis.call('DEL', KEYS[1])
end
local reset = next_arrival - now
local remaining = math.floor((tolerance - reset) / interval)
if remaining < 0 then remaining = 0 end
local rest = redis.call('MGET', KEYS[2], KEYS[3], KEYS[4])
return {allowed, remaining, math.ceil(reset), math.ceil(retry), rest[1], rest[2] and 1 or 0, rest[3]}
