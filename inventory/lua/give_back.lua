-- An order that ended gives its number and handset unit back: free for the next shopper, or out of the drop
-- (withdrawn) where they have to cool or be inspected first.
--
-- KEYS 1 epoch  2 rules  3 tally  4 free  5 owner  6 used  7 total  8 ended  9 orders  10 unpaid  11 journal
-- ARGV 1 epoch  2 order  3 number  4 free | cooling
--
-- Answers  returned   now, or before
--          unknown    no such order, or the number is not its own: nothing changed
--          settled    the drop is settled, its numbers are SQL's to move
--          stale
--
-- In one lot of several the hold is left in `ended`, until its places are given up too (inventory/lots.py).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local known = redis.call('HGET', KEYS[9], ARGV[2])
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
redis.call('HSET', KEYS[9], ARGV[2], cjson.encode(order))
redis.call('ZREM', KEYS[10], ARGV[2])
if (redis.call('HGET', KEYS[2], 'lots') or '1') == '1' then
  for _, who in ipairs({'a:' .. order.account, order.person ~= '' and 'p:' .. order.person or nil}) do
    redis.call('HINCRBY', KEYS[6], who, -1)
    if KEYS[6] ~= KEYS[7] then
      redis.call('HINCRBY', KEYS[7], who, -1)
    end
  end
else
  redis.call('HSET', KEYS[8], order.hold, order.account .. '\t' .. order.person)
end
redis.call('HINCRBY', KEYS[3], from, -1)
redis.call('HINCRBY', KEYS[3], to, 1)
if order.sku ~= '' then
  redis.call('HINCRBY', KEYS[3], from .. ':' .. order.sku, -1)
  redis.call('HINCRBY', KEYS[3], to .. ':' .. order.sku, 1)
end
redis.call('XADD', KEYS[11], '*', 'verb', 'give_back', 'number', order.number, 'order', ARGV[2], 'sku', order.sku,
  'account', order.account, 'person', order.person, 'from', from, 'to', to)
return {'returned'}
