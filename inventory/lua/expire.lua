-- End the holds that are due: the one owner of expiry.
--
-- Redis's clock is compared with the caller's steady one. Where it moved over 60 s more or less than it should
-- have, nothing is freed: holds made before the jump are moved along with the clock, and the jump is told. The
-- caller brings what its last call was told, so callers do not confuse each other; `jumps` lets only one of them
-- move the holds.
--
-- KEYS 1 epoch  2 rules  3 tally  4 free  5 owner  6 holds  7 due  8 live  9 used  10 total  11 ended  12 journal
-- ARGV 1 epoch  2 most to free  3 steady milliseconds since the caller's last call, or "" at its first
--      4 now  5 seq  6 jumps: as its last call was told
--
-- Answers  freed <count> <now ms> <seq> <jumps>
--          jump <milliseconds> <now ms> <seq> <jumps>
--          stale
--
-- In one lot of several the holds are left in `ended`, until their places are given up too (inventory/lots.py).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counts = redis.call('HMGET', KEYS[3], 'seq', 'jumps')
local seq, jumps = counts[1] or '0', counts[2] or '0'

if ARGV[3] ~= '' and ARGV[6] == jumps then
  local last = tonumber(ARGV[4])
  local jump = now - last - tonumber(ARGV[3])
  if math.abs(jump) > 60000 then
    local live = redis.call('ZRANGE', KEYS[7], 0, -1)
    for _, id in ipairs(live) do
      local hold = cjson.decode(redis.call('HGET', KEYS[6], id))
      local made = tonumber(hold.made)
      -- A hold made since the last call was made before the jump if its time is nearer to the old clock.
      if hold.seq <= tonumber(ARGV[5]) or math.abs(made - last) <= math.abs(made - now) then
        hold.made = string.format('%d', made + jump)
        hold.due = string.format('%d', tonumber(hold.due) + jump)
        redis.call('HSET', KEYS[6], id, cjson.encode(hold))
        redis.call('ZADD', KEYS[7], hold.due, id)
      end
    end
    jumps = redis.call('HINCRBY', KEYS[3], 'jumps', 1)
    redis.call('XADD', KEYS[12], '*', 'verb', 'jump', 'ms', string.format('%d', jump))
    return {'jump', string.format('%d', jump), string.format('%d', now), seq, tostring(jumps)}
  end
end

local freed, alone = 0, (redis.call('HGET', KEYS[2], 'lots') or '1') == '1'
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', string.format('%d', now), 'LIMIT', 0, ARGV[2])) do
  redis.call('ZREM', KEYS[7], id)
  local hold = cjson.decode(redis.call('HGET', KEYS[6], id))
  if hold.state == 'held' and redis.call('HGET', KEYS[5], hold.number) == 'h:' .. id then
    hold.state = 'expired'
    redis.call('HSET', KEYS[6], id, cjson.encode(hold))
    redis.call('HDEL', KEYS[5], hold.number)
    redis.call('SADD', KEYS[4], hold.number)
    if alone then
      redis.call('HDEL', KEYS[8], hold.account)
      for _, who in ipairs({'a:' .. hold.account, hold.person ~= '' and 'p:' .. hold.person or nil}) do
        redis.call('HINCRBY', KEYS[9], who, -1)
        if KEYS[9] ~= KEYS[10] then
          redis.call('HINCRBY', KEYS[10], who, -1)
        end
      end
    else
      redis.call('HSET', KEYS[11], id, hold.account .. '\t' .. hold.person)
    end
    redis.call('HINCRBY', KEYS[3], 'held', -1)
    redis.call('HINCRBY', KEYS[3], 'free', 1)
    if hold.sku ~= '' then
      redis.call('HINCRBY', KEYS[3], 'held:' .. hold.sku, -1)
      redis.call('HINCRBY', KEYS[3], 'free:' .. hold.sku, 1)
    end
    redis.call('XADD', KEYS[12], '*', 'verb', 'expire', 'number', hold.number, 'hold', id, 'sku', hold.sku,
      'account', hold.account, 'person', hold.person)
    freed = freed + 1
  end
end
return {'freed', freed, string.format('%d', now), seq, jumps}
