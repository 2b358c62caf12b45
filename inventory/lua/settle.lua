-- The order's money is safe: its number is sold.
--
-- KEYS 1 epoch  2 tally  3 owner  4 orders  5 unpaid  6 journal
-- ARGV 1 epoch  2 order  3 number
--
-- Answers  paid     now, or before
--          lapsed   the number is not this order's, or not any more
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local known = redis.call('HGET', KEYS[4], ARGV[2])
local order = known and cjson.decode(known)
if not order or order.number ~= ARGV[3] or order.state == 'returned' then
  return {'lapsed'}
elseif order.state == 'paid' then
  return {'paid'}
elseif redis.call('HGET', KEYS[3], order.number) ~= 'o:' .. ARGV[2] then
  return {'lapsed'}
end

order.state = 'paid'
redis.call('HSET', KEYS[4], ARGV[2], cjson.encode(order))
redis.call('HSET', KEYS[3], order.number, 'p:' .. ARGV[2])
redis.call('ZREM', KEYS[5], ARGV[2])
redis.call('HINCRBY', KEYS[2], 'ordered', -1)
redis.call('HINCRBY', KEYS[2], 'paid', 1)
if order.sku ~= '' then
  redis.call('HINCRBY', KEYS[2], 'ordered:' .. order.sku, -1)
  redis.call('HINCRBY', KEYS[2], 'paid:' .. order.sku, 1)
end
redis.call('XADD', KEYS[6], '*', 'verb', 'settle', 'number', order.number, 'order', ARGV[2], 'sku', order.sku)
return {'paid'}
