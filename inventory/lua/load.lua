-- Put stock into a drop: numbers and handset SKUs that are not in it yet. Loading the same again changes nothing,
-- so a load that died midway is simply run again.
--
-- KEYS 1 epoch  2 loading  3 tally  4 free  5 owner  6 journal
-- ARGV 1 the epoch `begin` gave  2 numbers by comma  3.. sku, quantity, sku, quantity ...
-- The epoch key itself is set by `rule`, after everything is loaded; until then other verbs answer `stale`.
--
-- Answers  loaded <new numbers>
--          stale                 the drop is not being loaded under this epoch, or Redis lost it meanwhile

local epoch = redis.call('GET', KEYS[1]) or redis.call('GET', KEYS[2])
if epoch ~= ARGV[1] then
  return {'stale'}
end

local new = {}
for number in string.gmatch(ARGV[2], '%d+') do
  if redis.call('HEXISTS', KEYS[5], number) == 0 and redis.call('SADD', KEYS[4], number) == 1 then
    new[#new + 1] = number
  end
end
if #new > 0 then
  redis.call('HINCRBY', KEYS[3], 'loaded', #new)
  redis.call('HINCRBY', KEYS[3], 'free', #new)
  redis.call('XADD', KEYS[6], '*', 'verb', 'load', 'numbers', table.concat(new, ','))
end

for i = 3, #ARGV, 2 do
  local sku, quantity = ARGV[i], ARGV[i + 1]
  if redis.call('HSETNX', KEYS[3], 'loaded:' .. sku, quantity) == 1 then
    redis.call('HSET', KEYS[3], 'free:' .. sku, quantity)
    redis.call('XADD', KEYS[6], '*', 'verb', 'load', 'sku', sku, 'quantity', quantity)
  end
end
return {'loaded', #new}
