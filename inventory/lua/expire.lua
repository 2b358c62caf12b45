-- End the holds that are due: the one owner of expiry.
--
-- Redis's clock is compared with the caller's steady one. Where it moved over 60 s more or less than it should
-- have, nothing is freed: holds made before the jump are moved along with the clock, and the jump is told. The
-- caller brings what its last call was told, so callers do not confuse each other; `jumps` lets only one of them
-- move the holds.
--
-- KEYS 1 epoch  2 tally  3 free  4 owner  5 holds  6 due  7 live  8 used  9 journal
-- ARGV 1 epoch  2 most to free  3 steady milliseconds since the caller's last call, or "" at its first
--      4 now  5 seq  6 jumps: as its last call was told
--
-- Answers  freed <count> <now ms> <seq> <jumps>
--          jump <milliseconds> <now ms> <seq> <jumps>
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counts = redis.call('HMGET', KEYS[2], 'seq', 'jumps')
local seq, jumps = counts[1] or '0', counts[2] or '0'

if ARGV[3] ~= '' and ARGV[6] == jumps then
  local last = tonumber(ARGV[4])
  local jump = now - last - tonumber(ARGV[3])
  if math.abs(jump) > 60000 then
    local live = redis.call('ZRANGE', KEYS[6], 0, -1)
    for _, id in ipairs(live) do
      local hold = cjson.decode(redis.call('HGET', KEYS[5], id))
      local made = tonumber(hold.made)
      -- A hold made since the last call was made before the jump if its time is nearer to the old clock.
      if hold.seq <= tonumber(ARGV[5]) or math.abs(made - last) <= math.abs(made - now) then
        hold.made = string.format('%d', made + jump)
        hold.due = string.format('%d', tonumber(hold.due) + jump)
        redis.call('HSET', KEYS[5], id, cjson.encode(hold))
        redis.call('ZADD', KEYS[6], hold.due, id)
      end
    end
    jumps = redis.call('HINCRBY', KEYS[2], 'jumps', 1)
    redis.call('XADD', KEYS[9], '*', 'verb', 'jump', 'ms', string.format('%d', jump))
    return {'jump', string.format('%d', jump), string.format('%d', now), seq, tostring(jumps)}
  end
end

local freed = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', string.format('%d', now), 'LIMIT', 0, ARGV[2])) do
  redis.call('ZREM', KEYS[6], id)
  local hold = cjson.decode(redis.call('HGET', KEYS[5], id))
  if hold.state == 'held' and redis.call('HGET', KEYS[4], hold.number) == 'h:' .. id then
    hold.state = 'expired'
    redis.call('HSET', KEYS[5], id, cjson.encode(hold))
    redis.call('HDEL', KEYS[4], hold.number)
    redis.call('SADD', KEYS[3], hold.number)
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
    redis.call('XADD', KEYS[9], '*', 'verb', 'expire', 'number', hold.number, 'hold', id, 'sku', hold.sku,
      'account', hold.account, 'person', hold.person)
    freed = freed + 1
  end
end
return {'freed', freed, string.format('%d', now), seq, jumps}
