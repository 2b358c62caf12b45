-- Publish a loaded drop and set its rules: state, times, limits. The caller's version only ever counts up, so a
-- slow caller with an older picture of the drop cannot undo a newer order (a pause, say).
--
-- KEYS 1 epoch  2 loading  3 rules  4 tally  5 used  6 total  7 journal
-- ARGV 1 epoch  2 version  3 state: open | paused | closed | settled
--      4 opens_at ms  5 closes_at ms or ""  6 hold ms  7 limit per account  8 limit per person
--      9 how many lots the drop has: with several, place.lua keeps the limits and not hold.lua
--
-- Answers  done
--          old                       a newer version is in force
--          busy <held> <ordered>     settled is refused while holds or unpaid orders stand
--          stale

local epoch = redis.call('GET', KEYS[1])
if epoch ~= ARGV[1] and (epoch or redis.call('GET', KEYS[2]) ~= ARGV[1]) then
  return {'stale'}
end
local version = tonumber(redis.call('HGET', KEYS[3], 'version') or -1)
if tonumber(ARGV[2]) < version then
  return {'old'}
end
if ARGV[3] == 'settled' then
  local tally = redis.call('HMGET', KEYS[4], 'held', 'ordered')
  local held, ordered = tonumber(tally[1] or 0), tonumber(tally[2] or 0)
  if held > 0 or ordered > 0 then
    return {'busy', held, ordered}
  end
end
if tonumber(ARGV[2]) > version or redis.call('HGET', KEYS[3], 'state') ~= ARGV[3] then
  redis.call('HSET', KEYS[3], 'version', ARGV[2], 'state', ARGV[3], 'opens_at', ARGV[4], 'closes_at', ARGV[5],
    'hold_ms', ARGV[6], 'limit_account', ARGV[7], 'limit_person', ARGV[8],
    'lots', ARGV[9])
  redis.call('XADD', KEYS[7], '*', 'verb', 'rule', 'state', ARGV[3], 'version', ARGV[2], 'epoch', ARGV[1])
end
if not epoch then
  if KEYS[5] ~= KEYS[6] then
    redis.call('HSET', KEYS[5], 'epoch', ARGV[1]) -- this round counts in its campaign's total
  end
  redis.call('SET', KEYS[1], ARGV[1])
end
return {'done'}
