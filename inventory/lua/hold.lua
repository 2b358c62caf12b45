-- Decide a batch of requests for a number, one after the other in the order given.
--
-- KEYS 1 epoch  2 rules  3 tally  4 free  5 owner  6 holds  7 due  8 live  9 used  10 total  11 journal
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
-- What refuses writes nothing: asking again is decided afresh, so sold out heals by itself. Limits count in `total`
-- (of the campaign; the same key as `used` where there is none). In one lot of several, limits and live holds are
-- kept in other lots (place.lua). A batch reads what it needs at once and writes at once what it decided; `free`
-- alone is asked and changed request by request.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rules = redis.call('HMGET', KEYS[2], 'state', 'opens_at', 'closes_at', 'hold_ms', 'limit_account',
  'limit_person', 'lots')
local state, opens_at, closes_at = rules[1], tonumber(rules[2]), tonumber(rules[3])
local limit_account, limit_person, alone = tonumber(rules[5]), tonumber(rules[6]), (rules[7] or '1') == '1'
local made, due = string.format('%d', now), string.format('%d', now + tonumber(rules[4]))

local tokens, accounts, counted = {}, {}, {}
for i = 2, #ARGV, 6 do
  tokens[#tokens + 1] = ARGV[i]
  accounts[#accounts + 1] = ARGV[i + 1]
  counted[#counted + 1] = 'a:' .. ARGV[i + 1]
  if ARGV[i + 2] ~= '' then
    counted[#counted + 1] = 'p:' .. ARGV[i + 2]
  end
end

local function read(key, fields)
  local found = {}
  for i, value in ipairs(redis.call('HMGET', key, unpack(fields))) do
    found[fields[i]] = value
  end
  return found
end

local known, live, used = read(KEYS[6], tokens), {}, {}
if alone then
  live, used = read(KEYS[8], accounts), read(KEYS[10], counted)
end
local free, seq = redis.call('SCARD', KEYS[4]), tonumber(redis.call('HGET', KEYS[3], 'seq') or 0)
local units, sold, quoted = {}, {}, {}
local owners, records, dues, lives, rows, counts, count = {}, {}, {}, {}, {}, {}, 0

local function told(id, record)
  local hold = cjson.decode(record)
  return {'held', id, hold.number, hold.offer, hold.sku, hold.due, hold.state}
end

local function quote(text)
  quoted[text] = quoted[text] or cjson.encode(text)
  return quoted[text]
end

local function more(who)
  used[who] = (tonumber(used[who]) or 0) + 1
  counts[who] = (counts[who] or 0) + 1
end

local function decide(token, account, person, wanted, offer, sku)
  if known[token] then
    if cjson.decode(known[token]).account ~= account then
      return {'stranger'}
    end
    return told(token, known[token])
  elseif live[account] then
    local id = live[account]
    return told(id, known[id] or redis.call('HGET', KEYS[6], id))
  end

  if state == 'paused' then
    return {'paused'}
  elseif state ~= 'open' or (closes_at and now >= closes_at) then
    return {'closed'}
  elseif now < opens_at then
    return {'not_open', string.format('%d', opens_at)}
  elseif alone and (tonumber(used['a:' .. account]) or 0) >= limit_account then
    return {'limit', 'account'}
  elseif alone and person ~= '' and (tonumber(used['p:' .. person]) or 0) >= limit_person then
    return {'limit', 'person'}
  elseif free < 1 then
    return {'sold_out', 'number'}
  end
  if sku ~= '' then
    units[sku] = units[sku] or tonumber(redis.call('HGET', KEYS[3], 'free:' .. sku) or 0)
    if units[sku] < 1 then
      return {'sold_out', sku}
    end
  end

  local number
  if wanted == '' then
    number = redis.call('SPOP', KEYS[4])
  else
    for one in string.gmatch(wanted, '%d+') do
      if redis.call('SREM', KEYS[4], one) == 1 then -- the guard
        number = one
        break
      end
    end
  end
  if not number then
    return {'taken'}
  end

  count, free = count + 1, free - 1
  local record = '{"state":"held","number":"' .. number .. '","offer":' .. quote(offer) .. ',"sku":' .. quote(sku)
    .. ',"account":' .. quote(account) .. ',"person":"' .. person .. '","seq":' .. (seq + count)
    .. ',"made":"' .. made .. '","due":"' .. due .. '"}'
  owners[2 * count - 1], owners[2 * count] = number, 'h:' .. token
  records[2 * count - 1], records[2 * count] = token, record
  dues[2 * count - 1], dues[2 * count] = due, token
  known[token] = record
  if alone then
    lives[2 * count - 1], lives[2 * count] = account, token
    live[account] = token
    more('a:' .. account)
    if person ~= '' then
      more('p:' .. person)
    end
  end
  if sku ~= '' then
    units[sku], sold[sku] = units[sku] - 1, (sold[sku] or 0) + 1
  end
  rows[count] = number .. '\t' .. token .. '\t' .. sku .. '\t' .. account .. '\t' .. person
  return {'held', token, number, offer, sku, due, 'held'}
end

local answers = {}
for i = 2, #ARGV, 6 do
  answers[#answers + 1] = decide(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
end
if count == 0 then
  return answers
end

redis.call('HSET', KEYS[5], unpack(owners))
redis.call('HSET', KEYS[6], unpack(records))
redis.call('ZADD', KEYS[7], unpack(dues))
redis.call('HINCRBY', KEYS[3], 'seq', count)
redis.call('HINCRBY', KEYS[3], 'free', -count)
redis.call('HINCRBY', KEYS[3], 'held', count)
for sku, n in pairs(sold) do
  redis.call('HINCRBY', KEYS[3], 'free:' .. sku, -n)
  redis.call('HINCRBY', KEYS[3], 'held:' .. sku, n)
end
if alone then
  redis.call('HSET', KEYS[8], unpack(lives))
  local totals = {}
  for who, n in pairs(counts) do
    totals[#totals + 1] = who
    totals[#totals + 1] = used[who]
    if KEYS[9] ~= KEYS[10] then
      redis.call('HINCRBY', KEYS[9], who, n)
    end
  end
  redis.call('HSET', KEYS[10], unpack(totals))
end
redis.call('XADD', KEYS[11], '*', 'verb', 'hold', 'rows', table.concat(rows, '\n'))
return answers
