-- Who is here. Connections expire unless they are renewed, so those of a replica that died leave.
--
-- KEYS[1] connections by the time at which they expire    KEYS[2] users, with their connections
-- ARGV[1] 'join' (or renew) or 'leave'    ARGV[2] user    ARGV[3] connection
-- ARGV[4] milliseconds until it expires    ARGV[5] where the watching replicas listen
-- ARGV[6] most users to give
--
-- Returns {how many users, some of them}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local change = {}

local function remove(member)
  if redis.call('ZREM', KEYS[1], member) == 0 then return end
  local user = string.match(member, '^[^/]*')
  if redis.call('HINCRBY', KEYS[2], user, -1) <= 0 then
    redis.call('HDEL', KEYS[2], user)
    change.left = change.left or {}
    table.insert(change.left, user)
  end
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)) do
  remove(member)
end
local member = ARGV[2] .. '/' .. ARGV[3]
if ARGV[1] == 'leave' then
  remove(member)
elseif redis.call('ZADD', KEYS[1], now + ARGV[4], member) == 1 then
  if redis.call('HINCRBY', KEYS[2], ARGV[2], 1) == 1 then change.joined = {ARGV[2]} end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local count = redis.call('HLEN', KEYS[2])
if change.joined or change.left then
  change.count = count
  redis.call('PUBLISH', ARGV[5], '- - {"type":"presence","data":' .. cjson.encode(change) .. '}')
end
local users = {}
if ARGV[1] == 'join' and count <= tonumber(ARGV[6]) then users = redis.call('HKEYS', KEYS[2]) end
return {count, users}
