-- Give live orders their numbers again while a drop is rebuilt from SQL, before it is published.
--
-- KEYS 1 epoch  2 loading  3 tally  4 free  5 owner  6 journal  7 orders  8 unpaid  9 used
--      10 total
-- ARGV 1 the epoch being loaded  2 here | home: are its places counted here, or in home lots (place.lua)
--      3.. an order as JSON each:
--        {order, hold, number, offer, sku, account, person, state = "ordered" | "paid"}
--
-- Answers  restored <orders>, then the ids of orders whose number was not free
--          stale

if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local restored, refused = 0, {}
for i = 3, #ARGV do
  local order = cjson.decode(ARGV[i])
  local known = redis.call('HEXISTS', KEYS[7], order.order)
  if known == 0 and redis.call('SREM', KEYS[4], order.number) == 1 then
    local paid = order.state == 'paid'
    redis.call('HSET', KEYS[5], order.number, (paid and 'p:' or 'o:') .. order.order)
    redis.call('HSET', KEYS[7], order.order, cjson.encode(order))
    if not paid then
      redis.call('ZADD', KEYS[8], string.format('%d', now), order.order)
    end
    redis.call('HINCRBY', KEYS[3], 'free', -1)
    redis.call('HINCRBY', KEYS[3], order.state, 1)
    if order.sku ~= '' then
      redis.call('HINCRBY', KEYS[3], 'free:' .. order.sku, -1)
      redis.call('HINCRBY', KEYS[3], order.state .. ':' .. order.sku, 1)
    end
    if ARGV[2] == 'here' then
      for _, who in ipairs({'a:' .. order.account, order.person ~= '' and 'p:' .. order.person or nil}) do
        redis.call('HINCRBY', KEYS[9], who, 1)
        if KEYS[9] ~= KEYS[10] then
          redis.call('HINCRBY', KEYS[10], who, 1)
        end
      end
    end
    redis.call('XADD', KEYS[6], '*', 'verb', 'restore', 'number', order.number, 'order', order.order,
      'sku', order.sku, 'account', order.account, 'person', order.person, 'state', order.state, 'hold', order.hold)
    restored = restored + 1
  elseif known == 0 then
    refused[#refused + 1] = order.order
  end
end
return {'restored', restored, unpack(refused)}
