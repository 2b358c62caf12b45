-- Give up places within a limit (see place.lua). Given up before changes nothing.
--
-- KEYS 1 epoch  2 live  3 used  4 total  5 places  6 unsure
-- ARGV 1 epoch  2.. three for each: hold, who ("a:" account or "p:" person), mode
--      mode  end      the hold or order is over: the place is free
--            ordered  the hold became an order: the place stays, the account may hold the next number
--            sure     the hold stands: the place needs no more looking after
--
-- Answers  done
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
for i = 2, #ARGV, 3 do
  local hold, who, mode = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id, account = hold .. '\t' .. who, string.sub(who, 3)
  if mode == 'sure' then
    redis.call('ZREM', KEYS[6], id)
  else
    if string.sub(who, 1, 1) == 'a' and redis.call('HGET', KEYS[2], account) == hold then
      redis.call('HDEL', KEYS[2], account)
    end
    if mode == 'end' and redis.call('HDEL', KEYS[5], id) == 1 then
      redis.call('ZREM', KEYS[6], id)
      redis.call('HINCRBY', KEYS[3], who, -1)
      if KEYS[3] ~= KEYS[4] then
        redis.call('HINCRBY', KEYS[4], who, -1)
      end
    end
  end
end
return {'done'}
