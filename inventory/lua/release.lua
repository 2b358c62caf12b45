-- The shopper lets a hold go: its number and handset unit are free at once.
--
-- KEYS 1 epoch  2 tally  3 free  4 owner  5 holds  6 due  7 live  8 used  9 journal
-- ARGV 1 epoch  2 hold  3 account
--
-- Answers  released
--          gone              there is no such hold of this account, or it ended before: nothing changed
--          ordered <order>   it has become an order, which alone can give the number back
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local known = redis.call('HGET', KEYS[5], ARGV[2])
local hold = known and cjson.decode(known)
if not hold or hold.account ~= ARGV[3] then
  return {'gone'}
elseif hold.state == 'ordered' then
  return {'ordered', hold.order}
elseif hold.state ~= 'held' or redis.call('HGET', KEYS[4], hold.number) ~= 'h:' .. ARGV[2] then
  return {'gone'}
end

hold.state = 'released'
redis.call('HSET', KEYS[5], ARGV[2], cjson.encode(hold))
redis.call('HDEL', KEYS[4], hold.number)
redis.call('SADD', KEYS[3], hold.number)
redis.call('ZREM', KEYS[6], ARGV[2])
redis.call('HDEL', KEYS[7], hold.account)
redis.call('HINCRBY', KEYS[8], 'a:' .. hold.account, -1)
if hold.person ~= '' then
  redis.call('HINCRBY', KEYS[8], 'p:' .. hold.person, -1)
end
redis.call('HINCRBY', KEYS[2], 'held', -1)
redis.call('HINCRBY', KEYS[2], 'free', 1)
if hold.sku ~= '' then
  redis.call('HINCRBY', KEYS[2], 'held:' .. hold.sku, -1)
  redis.call('HINCRBY', KEYS[2], 'free:' .. hold.sku, 1)
end
redis.call('XADD', KEYS[9], '*', 'verb', 'release', 'number', hold.number, 'hold', ARGV[2], 'sku', hold.sku,
  'account', hold.account, 'person', hold.person)
return {'released'}
