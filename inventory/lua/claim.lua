-- A hold becomes an order: the number changes its owner from the hold to the order.
-- The time is not judged here: `expire` alone ends a hold, so a hold that still stands can be claimed.
--
-- KEYS 1 epoch  2 rules  3 tally  4 owner  5 holds  6 due  7 live  8 used  9 orders  10 unpaid  11 journal
-- ARGV 1 epoch  2 hold  3 account  4 order  5 person digest or ""
--
-- Answers  claimed <number> <offer> <sku>   also when this order claimed this hold before
--          lapsed                           no such hold of this account, it ended, or the order gave it back
--          ordered <order>                  another order has this hold
--          limit person
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local id, account, order_id, person = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HGET', KEYS[9], order_id)
if known then
  local order = cjson.decode(known)
  if order.hold == id and order.account == account and order.state ~= 'returned' then
    return {'claimed', order.number, order.offer, order.sku}
  end
  return {'lapsed'}
end
known = redis.call('HGET', KEYS[5], id)
local hold = known and cjson.decode(known)
if not hold or hold.account ~= account then
  return {'lapsed'}
elseif hold.state == 'ordered' then
  return {'ordered', hold.order}
elseif hold.state ~= 'held' or redis.call('HGET', KEYS[4], hold.number) ~= 'h:' .. id then
  return {'lapsed'}
end

if person ~= '' and person ~= hold.person then
  local limit = tonumber(redis.call('HGET', KEYS[2], 'limit_person'))
  if tonumber(redis.call('HGET', KEYS[8], 'p:' .. person) or 0) >= limit then
    return {'limit', 'person'}
  end
  redis.call('HINCRBY', KEYS[8], 'p:' .. person, 1)
  if hold.person ~= '' then
    redis.call('HINCRBY', KEYS[8], 'p:' .. hold.person, -1)
  end
else
  person = hold.person
end

local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
hold.state = 'ordered'
hold.order = order_id
redis.call('HSET', KEYS[5], id, cjson.encode(hold))
redis.call('HSET', KEYS[9], order_id, cjson.encode({
  state = 'ordered', order = order_id, hold = id, number = hold.number, offer = hold.offer, sku = hold.sku,
  account = account, person = person,
}))
redis.call('ZADD', KEYS[10], now, order_id)
redis.call('HSET', KEYS[4], hold.number, 'o:' .. order_id)
redis.call('ZREM', KEYS[6], id)
redis.call('HDEL', KEYS[7], account)
redis.call('HINCRBY', KEYS[3], 'held', -1)
redis.call('HINCRBY', KEYS[3], 'ordered', 1)
if hold.sku ~= '' then
  redis.call('HINCRBY', KEYS[3], 'held:' .. hold.sku, -1)
  redis.call('HINCRBY', KEYS[3], 'ordered:' .. hold.sku, 1)
end
redis.call('XADD', KEYS[11], '*', 'verb', 'claim', 'number', hold.number, 'hold', id, 'order', order_id,
  'sku', hold.sku, 'account', account, 'person', person)
return {'claimed', hold.number, hold.offer, hold.sku}
