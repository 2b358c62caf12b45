-- An order that ended gives its number and handset unit back: free for the next shopper, or out of the drop
-- (withdrawn) where they have to cool or be inspected first.
--
-- KEYS 1 epoch  2 rules  3 tally  4 free  5 owner  6 used  7 orders  8 unpaid  9 journal
-- ARGV 1 epoch  2 order  3 number  4 free | cooling
--
-- Answers  returned   now, or before
--          unknown    no such order, or the number is not its own: nothing changed
--          settled    the drop is settled, its numbers are SQL's to move
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local known = redis.call('HGET', KEYS[7], ARGV[2])
local order = known and cjson.decode(known)
if not order or order.number ~= ARGV[3] then
  return {'unknown'}
elseif order.state == 'returned' then
  return {'returned'}
elseif redis.call('HGET', KEYS[2], 'state') == 'settled' then
  return {'settled'}
elseif redis.call('HGET', KEYS[5], order.number) ~= (order.state == 'paid' and 'p:' or 'o:') .. ARGV[2] then
  return {'unknown'}
end

local from, to = order.state, 'free'
if ARGV[4] == 'free' then
  redis.call('HDEL', KEYS[5], order.number)
  redis.call('SADD', KEYS[4], order.number)
else
  to = 'withdrawn'
  redis.call('HSET', KEYS[5], order.number, 'w:' .. ARGV[2])
end
order.state = 'returned'
redis.call('HSET', KEYS[7], ARGV[2], cjson.encode(order))
redis.call('ZREM', KEYS[8], ARGV[2])
redis.call('HINCRBY', KEYS[6], 'a:' .. order.account, -1)
if order.person ~= '' then
  redis.call('HINCRBY', KEYS[6], 'p:' .. order.person, -1)
end
redis.call('HINCRBY', KEYS[3], from, -1)
redis.call('HINCRBY', KEYS[3], to, 1)
if order.sku ~= '' then
  redis.call('HINCRBY', KEYS[3], from .. ':' .. order.sku, -1)
  redis.call('HINCRBY', KEYS[3], to .. ':' .. order.sku, 1)
end
redis.call('XADD', KEYS[9], '*', 'verb', 'give_back', 'number', order.number, 'order', ARGV[2], 'sku', order.sku,
  'account', order.account, 'person', order.person, 'from', from, 'to', to)
return {'returned'}
