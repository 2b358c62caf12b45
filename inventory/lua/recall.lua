-- Count the live orders of a settled round in its campaign's total again, after Redis lost both. The counts come in
-- several calls; until the last one has come the round does not count as known.
--
-- KEYS 1 used: the round's own counts  2 total: the campaign's
-- ARGV 1 first | more | last  2 the round's epoch  3.. who, how many, who, how many ...
--
-- Answers  known     the round's counts were not lost: nothing changed
--          counted

if redis.call('HGET', KEYS[1], 'epoch') == ARGV[2] then
  return {'known'}
end
if ARGV[1] == 'first' then
  local left = redis.call('HGETALL', KEYS[1])
  for i = 1, #left, 2 do
    redis.call('HINCRBY', KEYS[2], left[i], '-' .. left[i + 1])
  end
  redis.call('DEL', KEYS[1])
end
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
end
if ARGV[1] == 'last' then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
end
return {'counted'}
