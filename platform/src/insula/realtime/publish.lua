-- Appends messages to the logs of their channels and tells the replicas that watch them.
--
-- KEYS[1] the tenant's mark: the number of the last event that was published
-- ARGV[1] prefix of the tenant's logs    ARGV[2] length of a log    ARGV[3] life of the mark, ms
-- then for each message: its number in the tenant's log of events (0: it is no event), its body,
-- how many channels it goes to, and their names
--
-- An event that the mark has passed is left out, so publishing again changes nothing. A channel
-- without a log is watched by nobody: see open.lua. What replicas hear is "<id> <id before> <body>":
-- one that did not hear the message before notices.
local mark = tonumber(redis.call('GET', KEYS[1])) or 0
local position, published = 4, 0
while position <= #ARGV do
  local number, body, count = tonumber(ARGV[position]), ARGV[position + 1], ARGV[position + 2]
  if number == 0 or number > mark then
    for nth = 1, tonumber(count) do
      local log = ARGV[1] .. ARGV[position + 2 + nth]
      local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
      if last then
        local id = redis.call('XADD', log, 'MAXLEN', '~', ARGV[2], '*', 'm', body)
        redis.call('PUBLISH', log, id .. ' ' .. last[1] .. ' ' .. body)
        published = published + 1
      end
    end
    if number > 0 then
      mark = number
      redis.call('SET', KEYS[1], ARGV[position], 'PX', ARGV[3])
    end
  end
  position = position + 3 + count
end
return published
