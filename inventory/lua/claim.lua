-- Holds become orders, a batch of them, one after the other: each number changes its owner from the hold to the
-- order. The time is not judged here: `expire` alone ends a hold, so a hold that still stands can be claimed.
--
-- KEYS 1 epoch  2 rules  3 tally  4 owner  5 holds  6 due  7 live  8 used  9 total  10 orders  11 unpaid  12 journal
-- ARGV 1 epoch  2.. four for each: hold, account, order, person digest or ""
--
-- Answers  stale, or one list for each, in order:
--   claimed <number> <offer> <sku>   also when this order claimed this hold before
--   lapsed                           no such hold of this account, it ended, or the order gave it back
--   ordered <order>                  another order has this hold
--   limit person

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local rules = redis.call('HMGET', KEYS[2], 'limit_person', 'lots')
local limit, alone = tonumber(rules[1]), (rules[2] or '1') == '1'
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))

local holds, orders, counted = {}, {}, {}
for i = 2, #ARGV, 4 do
  holds[#holds + 1] = ARGV[i]
  orders[#orders + 1] = ARGV[i + 2]
  counted[#counted + 1] = 'p:' .. ARGV[i + 3]
end

local function read(key, fields, decode)
  local found = {}
  for i, value in ipairs(redis.call('HMGET', key, unpack(fields))) do
    found[fields[i]] = value and decode(value)
  end
  return found
end

local hold_of, order_of = read(KEYS[5], holds, cjson.decode), read(KEYS[10], orders, cjson.decode)
local used = read(KEYS[9], counted, tonumber)
local owners, records, placed, unpaid, gone, accounts, rows, count = {}, {}, {}, {}, {}, {}, {}, 0
local moved = {}

local function change(who, by)
  used[who] = redis.call('HINCRBY', KEYS[9], who, by)
  if KEYS[8] ~= KEYS[9] then
    redis.call('HINCRBY', KEYS[8], who, by)
  end
end

local function decide(id, account, order_id, person)
  local order = order_of[order_id]
  if order then
    if order.hold == id and order.account == account and order.state ~= 'returned' then
      return {'claimed', order.number, order.offer, order.sku}
    end
    return {'lapsed'}
  end
  local hold = hold_of[id]
  if not hold or hold.account ~= account then
    return {'lapsed'}
  elseif hold.state == 'ordered' then
    return {'ordered', hold.order}
  elseif hold.state ~= 'held' or redis.call('HGET', KEYS[4], hold.number) ~= 'h:' .. id then
    return {'lapsed'}
  end

  if person == '' then
    person = hold.person
  elseif person ~= hold.person and alone then
    if (used['p:' .. person] or 0) >= limit then
      return {'limit', 'person'}
    end
    change('p:' .. person, 1)
    if hold.person ~= '' then
      change('p:' .. hold.person, -1)
    end
  end

  count = count + 1
  hold.state = 'ordered'
  hold.order = order_id
  order = {
    state = 'ordered', order = order_id, hold = id, number = hold.number, offer = hold.offer, sku = hold.sku,
    account = account, person = person,
  }
  order_of[order_id] = order
  owners[2 * count - 1], owners[2 * count] = hold.number, 'o:' .. order_id
  records[2 * count - 1], records[2 * count] = id, cjson.encode(hold)
  placed[2 * count - 1], placed[2 * count] = order_id, cjson.encode(order)
  unpaid[2 * count - 1], unpaid[2 * count] = now, order_id
  gone[count], accounts[count] = id, account
  if hold.sku ~= '' then
    moved[hold.sku] = (moved[hold.sku] or 0) + 1
  end
  rows[count] = hold.number .. '\t' .. id .. '\t' .. order_id .. '\t' .. hold.sku .. '\t' .. account .. '\t' .. person
  return {'claimed', hold.number, hold.offer, hold.sku}
end

local answers = {}
for i = 2, #ARGV, 4 do
  answers[#answers + 1] = decide(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
if count == 0 then
  return answers
end

redis.call('HSET', KEYS[4], unpack(owners))
redis.call('HSET', KEYS[5], unpack(records))
redis.call('HSET', KEYS[10], unpack(placed))
redis.call('ZADD', KEYS[11], unpack(unpaid))
redis.call('ZREM', KEYS[6], unpack(gone))
if alone then
  redis.call('HDEL', KEYS[7], unpack(accounts))
end
redis.call('HINCRBY', KEYS[3], 'held', -count)
redis.call('HINCRBY', KEYS[3], 'ordered', count)
for sku, n in pairs(moved) do
  redis.call('HINCRBY', KEYS[3], 'held:' .. sku, -n)
  redis.call('HINCRBY', KEYS[3], 'ordered:' .. sku, n)
end
redis.call('XADD', KEYS[12], '*', 'verb', 'claim', 'rows', table.concat(rows, '\n'))
return answers
