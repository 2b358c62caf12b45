-- What has become of holds in this lot; those that never came can't come any more: their record says released.
--
-- KEYS 1 epoch  2 holds  3 orders
-- ARGV 1 epoch  2.. two for each: hold, account
--
-- Answers  stale, or one list for each, in order:
--   held <person> | ordered <person> | over        over: released, expired, given back, never held
--   never                                          as over; it was never held here, and now never will be

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local answers = {}
for i = 2, #ARGV, 2 do
  local id, account = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[2], id)
  local answer = {'over'}
  if not known then
    redis.call('HSET', KEYS[2], id, cjson.encode({
      state = 'released', number = '', offer = '', sku = '', account = account, person = '', seq = 0, made = '0', due = '0',
    }))
    answer = {'never'}
  else
    local hold = cjson.decode(known)
    if hold.state == 'held' then
      answer = {'held', hold.person}
    elseif hold.state == 'ordered' then
      local order = cjson.decode(redis.call('HGET', KEYS[3], hold.order))
      if order.state ~= 'returned' then
        answer = {'ordered', order.person}
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
