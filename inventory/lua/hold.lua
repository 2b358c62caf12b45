-- Decide a batch of requests for a number, one after the other in the order given.
--
-- KEYS 1 epoch  2 rules  3 tally  4 free  5 owner  6 holds  7 due  8 live  9 used  10 journal
-- ARGV 1 epoch  2.. six for each request: token, account, person digest or "", wanted numbers by comma in
--      order of liking or "" for any, offer, sku or ""
--
-- Answers  stale, or one list for each request, in order:
--   held <hold> <number> <offer> <sku> <due ms> <state>   this hold now; also when the token was answered before
--        (state then says what has become of it) and when the account has a live hold (that one is given)
--   taken                     none of the wanted numbers is free
--   sold_out number | <sku>   nothing free at all, or no unit of the SKU
--   limit account | person
--   not_open <opens_at ms>    paused    closed
--   stranger                  the token is another account's
--
-- What refuses writes nothing: asking again is decided afresh, so sold out heals by itself.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rules = redis.call('HMGET', KEYS[2], 'state', 'opens_at', 'closes_at', 'hold_ms', 'limit_account',
  'limit_person')
local state, opens_at, closes_at = rules[1], tonumber(rules[2]), tonumber(rules[3])
local limit_account, limit_person = tonumber(rules[5]), tonumber(rules[6])
local due = string.format('%d', now + tonumber(rules[4]))

local function told(id, hold)
  return {'held', id, hold.number, hold.offer, hold.sku, hold.due, hold.state}
end

local function used(key)
  return tonumber(redis.call('HGET', KEYS[9], key) or 0)
end

local function decide(token, account, person, wanted, offer, sku)
  local known = redis.call('HGET', KEYS[6], token)
  if known then
    local hold = cjson.decode(known)
    if hold.account ~= account then
      return {'stranger'}
    end
    return told(token, hold)
  end
  local live = redis.call('HGET', KEYS[8], account)
  if live then
    return told(live, cjson.decode(redis.call('HGET', KEYS[6], live)))
  end

  if state == 'paused' then
    return {'paused'}
  elseif state ~= 'open' or (closes_at and now >= closes_at) then
    return {'closed'}
  elseif now < opens_at then
    return {'not_open', string.format('%d', opens_at)}
  elseif used('a:' .. account) >= limit_account then
    return {'limit', 'account'}
  elseif person ~= '' and used('p:' .. person) >= limit_person then
    return {'limit', 'person'}
  elseif redis.call('SCARD', KEYS[4]) == 0 then
    return {'sold_out', 'number'}
  elseif sku ~= '' and tonumber(redis.call('HGET', KEYS[3], 'free:' .. sku) or 0) < 1 then
    return {'sold_out', sku}
  end

  local number
  if wanted == '' then
    number = redis.call('SPOP', KEYS[4])
  else
    for one in string.gmatch(wanted, '%d+') do
      if redis.call('SREM', KEYS[4], one) == 1 then
        number = one
        break
      end
    end
  end
  if not number then
    return {'taken'}
  end

  redis.call('HSET', KEYS[5], number, 'h:' .. token)
  local hold = {
    state = 'held', number = number, offer = offer, sku = sku, account = account, person = person,
    seq = redis.call('HINCRBY', KEYS[3], 'seq', 1), made = string.format('%d', now), due = due,
  }
  redis.call('HSET', KEYS[6], token, cjson.encode(hold))
  redis.call('ZADD', KEYS[7], due, token)
  redis.call('HSET', KEYS[8], account, token)
  redis.call('HINCRBY', KEYS[9], 'a:' .. account, 1)
  if person ~= '' then
    redis.call('HINCRBY', KEYS[9], 'p:' .. person, 1)
  end
  redis.call('HINCRBY', KEYS[3], 'free', -1)
  redis.call('HINCRBY', KEYS[3], 'held', 1)
  if sku ~= '' then
    redis.call('HINCRBY', KEYS[3], 'free:' .. sku, -1)
    redis.call('HINCRBY', KEYS[3], 'held:' .. sku, 1)
  end
  redis.call('XADD', KEYS[10], '*', 'verb', 'hold', 'number', number, 'hold', token, 'sku', sku,
    'account', account, 'person', person)
  return {'held', token, number, offer, sku, due, 'held'}
end

local answers = {}
for i = 2, #ARGV, 6 do
  answers[#answers + 1] = decide(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
end
return answers
