-- Publish a drop's queue, or change its rules: mode, pace, room, times, limits. The caller's version only ever counts
-- up, so a slow caller with an older picture cannot undo a newer order.
--
-- KEYS 1 line  2 queue
-- ARGV 1 epoch  2 version  3 mode: off | always | busy  4 people let in a second  5 how many may be inside
--      6 stay ms  7 ms to come in after being called  8 places a network  9 places a device  10 places a person (0: no limit)
--      11 level of proof of work on joining  12 new: publish it where there is none; else what is not there is stale
--
-- Answers  done
--          old     a newer version is in force
--          stale   there is no queue of this epoch

local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then
  if epoch or ARGV[12] ~= 'new' then
    return {'stale'}
  end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or -1)
if tonumber(ARGV[2]) < version then
  return {'old'}
end
if tonumber(ARGV[2]) > version then
  redis.call('HSET', KEYS[1], 'version', ARGV[2], 'mode', ARGV[3], 'rate', ARGV[4], 'cap', ARGV[5],
    'stay_ms', ARGV[6], 'come_ms', ARGV[7], 'limit_network', ARGV[8], 'limit_device', ARGV[9],
    'limit_person', ARGV[10], 'challenge', ARGV[11])
  redis.call('XADD', KEYS[2], '*', 'verb', 'rule', 'mode', ARGV[3], 'rate', ARGV[4], 'cap', ARGV[5],
    'stay_ms', ARGV[6], 'come_ms', ARGV[7], 'version', ARGV[2])
end
return {'done'}
