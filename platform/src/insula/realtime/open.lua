-- Where a channel's log stands, and what it has after a position.
--
-- KEYS[1] the log (a stream)
-- ARGV[1] milliseconds that it lives on from now    ARGV[2] the position, or ''
-- ARGV[3] most messages to give
--
-- A log begins with an entry that is no message when somebody first watches, so a position is
-- always the id of an entry: if the entry is gone, so may be others behind it, and the position
-- cannot be resumed from. Where there is no log nobody has a position, and nothing is published.
--
-- Returns {last id, whether the position was found, entries after it}.
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('XADD', KEYS[1], '*', 'o', '') end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
if ARGV[2] == '' or #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then
  return {last, 0, {}}
end
if ARGV[2] == last then return {last, 1, {}} end
return {last, 1, redis.call('XRANGE', KEYS[1], '(' .. ARGV[2], '+', 'COUNT', ARGV[3])}
