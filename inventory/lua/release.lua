-- The shopper lets a hold go: its number and handset unit are free at once.
--
-- KEYS 1 epoch  2 rules  3 tally  4 free  5 owner  6 holds  7 due  8 live  9 used  10 total  11 ended  12 journal
-- ARGV 1 epoch  2 hold  3 account
--
-- Answers  released
--          gone              there is no such hold of this account, or it ended before: nothing changed
--          ordered <order>   it has become an order, which alone can give the number back
--          stale
--
-- In one lot of several the hold is left in `ended`, until its places are given up too (inventory/lots.py).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local known = redis.call('HGET', KEYS[6], ARGV[2])
local hold = known and cjson.decode(known)
if not hold or hold.account ~= ARGV[3] then
  return {'gone'}
elseif hold.state == 'ordered' then
  return {'ordered', hold.order}
elseif hold.state ~= 'held' or redis.call('HGET', KEYS[5], hold.number) ~= 'h:' .. ARGV[2] then
  return {'gone'}
end

hold.state = 'released'
redis.call('HSET', KEYS[6], ARGV[2], cjson.encode(hold))
redis.call('HDEL', KEYS[5], hold.number)
redis.call('SADD', KEYS[4], hold.number)
redis.call('ZREM', KEYS[7], ARGV[2])
if (redis.call('HGET', KEYS[2], 'lots') or '1') == '1' then
  redis.call('HDEL', KEYS[8], hold.account)
  for _, who in ipairs({'a:' .. hold.account, hold.person ~= '' and 'p:' .. hold.person or nil}) do
    redis.call('HINCRBY', KEYS[9], who, -1)
    if KEYS[9] ~= KEYS[10] then
      redis.call('HINCRBY', KEYS[10], who, -1)
    end
  end
else
  redis.call('HSET', KEYS[11], ARGV[2], hold.account .. '\t' .. hold.person)
end
redis.call('HINCRBY', KEYS[3], 'held', -1)
redis.call('HINCRBY', KEYS[3], 'free', 1)
if hold.sku ~= '' then
  redis.call('HINCRBY', KEYS[3], 'held:' .. hold.sku, -1)
  redis.call('HINCRBY', KEYS[3], 'free:' .. hold.sku, 1)
end
redis.call('XADD', KEYS[12], '*', 'verb', 'release', 'number', hold.number, 'hold', ARGV[2], 'sku', hold.sku,
  'account', hold.account, 'person', hold.person)
return {'released'}
