-- Come in: those whose place has been called, in time. Coming in again gives the same stay.
--
-- KEYS 1 line  2 tickets  3 called  4 entered  5 stays  6 queue
-- ARGV 1 epoch  2.. two for each request: ticket, its drawn place or "" (of an early one)
--
-- Answers  stale, or one list for each request, in order:
--   in <until ms>     may browse and hold until then
--   wait <served>     its place has not been called; so far it went
--   missed            it was called and did not come in time
--   over              its stay is over
--   none              it has no place

local SLOWLY = 50 -- so many who come change the mean of how long it takes

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local line = redis.call('HMGET', KEYS[1], 'served', 'stay_ms', 'come_ms', 'drawn', 'due', 'came', 'delay')
local served, stay_ms, come_ms, drawn = tonumber(line[1] or 0), tonumber(line[2]), tonumber(line[3]), line[4] == '1'
local due, came, delay = tonumber(line[5] or 0), tonumber(line[6] or 0), tonumber(line[7] or 0)
local rows = {}

local function enter(ticket, rank)
  local has = redis.call('HGET', KEYS[2], ticket)
  if not has then
    return {'none'}
  end
  local place = tonumber(has == 'early' and rank or has)
  if not drawn or not place or place > served then
    return {'wait', string.format('%d', served)}
  end
  if tonumber(redis.call('ZSCORE', KEYS[4], ticket)) == place then
    local till = tonumber(redis.call('ZSCORE', KEYS[5], ticket) or 0)
    return till > now and {'in', string.format('%d', till)} or {'over'}
  end
  local called = redis.call('ZRANGEBYSCORE', KEYS[3], place, '+inf', 'LIMIT', 0, 1)[1]
  if called and now > tonumber(string.match(called, '^%d+')) + come_ms then
    return {'missed'}
  end
  -- For admit: how long people take to come, and that one came whom it had given up.
  if called then
    delay = delay + (now - tonumber(string.match(called, '^%d+')) - delay) / SLOWLY
  end
  if place <= due then
    came = came + 1
  end
  local till = string.format('%d', now + stay_ms)
  redis.call('ZADD', KEYS[4], place, ticket)
  redis.call('ZADD', KEYS[5], till, ticket)
  rows[#rows + 1] = ticket .. '\t' .. till .. '\t' .. string.format('%d', place)
  return {'in', till}
end

local answers = {}
for i = 2, #ARGV, 2 do
  answers[#answers + 1] = enter(ARGV[i], ARGV[i + 1])
end
if #rows > 0 then
  redis.call('HSET', KEYS[1], 'came', string.format('%.3f', came), 'delay', string.format('%.0f', delay))
  redis.call('XADD', KEYS[6], '*', 'verb', 'enter', 'rows', table.concat(rows, '\n'))
end
return answers
