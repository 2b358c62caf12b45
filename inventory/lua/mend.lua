-- Bring one thing that went wrong back to what the journal says. Whoever calls has compared journal, Redis and SQL and
-- says what he saw; where that is so no more, nothing is changed. Never frees or takes a number by its own judgement.
--
-- KEYS 1 epoch  2 tally  3 free  4 owner  5 holds  6 due  7 live  8 used  9 total  10 orders  11 unpaid  12 places
--      13 journal
-- ARGV 1 epoch  2.. one of
--      count tally|used|total <name> <by> <mends>   a counter is off by that much; no counter was mended since
--      recount <who>                 `used` of an account or person counts its places (one lot of several)
--      owner <number> <was> <to>     the mark of who has it, "" nobody: then it is free
--      free <number>                 free when nobody has it, else not
--      due <hold>, unpaid <order>    it stands there when its record says held, ordered
--      live <account> <was> <to>     its live hold, "" none
--      state hold|order <id> <was> <to>      the state in its record
--      record <order> <JSON>         the record of an order that has its number, but lost its record
--      lapse <hold> <number> <sku> <account> <person>   a hold whose record was lost ends: nobody can claim it
--      order <order> <JSON> here|home   a live order of SQL takes its number, which nobody has, again (as restore.lua)
--
-- Answers  mended
--          moved    it is not as the caller saw it, or as it must be: nothing changed
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end
local what, about = ARGV[2], ARGV[3]

local function stated(key, id)
  local known = redis.call('HGET', key, id)
  return known and cjson.decode(known) or {}
end

local function has(mark, number)
  local kind, id = string.sub(mark, 1, 1), string.sub(mark, 3)
  if kind == 'h' then
    local hold = stated(KEYS[5], id)
    return hold.state == 'held' and hold.number == number
  end
  local order, state = stated(KEYS[10], id), ({o = 'ordered', p = 'paid', w = 'returned'})[kind]
  return order.state == state and order.number == number
end

local function limits(account, person, by)
  for _, who in ipairs({'a:' .. account, person ~= '' and 'p:' .. person or nil}) do
    redis.call('HINCRBY', KEYS[8], who, by)
    if KEYS[8] ~= KEYS[9] then
      redis.call('HINCRBY', KEYS[9], who, by)
    end
  end
end

local function move(from, to, sku)
  redis.call('HINCRBY', KEYS[2], from, -1)
  redis.call('HINCRBY', KEYS[2], to, 1)
  if sku ~= '' then
    redis.call('HINCRBY', KEYS[2], from .. ':' .. sku, -1)
    redis.call('HINCRBY', KEYS[2], to .. ':' .. sku, 1)
  end
end

local mend = {}

function mend.count()
  local key = ({tally = KEYS[2], used = KEYS[8], total = KEYS[9]})[about]
  local guard = about == 'total' and KEYS[9] or KEYS[2]
  if (redis.call('HGET', guard, 'mends') or '0') ~= ARGV[6] then
    return false
  end
  redis.call('HINCRBY', key, ARGV[4], ARGV[5])
  redis.call('HINCRBY', guard, 'mends', 1)
  return true
end

function mend.recount()
  local count, tail = 0, '\t' .. about
  for _, place in ipairs(redis.call('HKEYS', KEYS[12])) do
    if string.sub(place, -#tail) == tail then
      count = count + 1
    end
  end
  if tonumber(redis.call('HGET', KEYS[8], about) or 0) == count then
    return false
  end
  redis.call('HSET', KEYS[8], about, count)
  return true
end

function mend.owner()
  local was, to = ARGV[4], ARGV[5]
  if (redis.call('HGET', KEYS[4], about) or '') ~= was or (to ~= '' and not has(to, about)) then
    return false
  end
  if to == '' then
    redis.call('HDEL', KEYS[4], about)
    redis.call('SADD', KEYS[3], about)
  else
    redis.call('HSET', KEYS[4], about, to)
    redis.call('SREM', KEYS[3], about)
  end
  return true
end

function mend.free()
  if redis.call('HEXISTS', KEYS[4], about) == 1 then
    return redis.call('SREM', KEYS[3], about) == 1
  end
  return redis.call('SADD', KEYS[3], about) == 1
end

function mend.due()
  local hold = stated(KEYS[5], about)
  if hold.state == 'held' then
    return redis.call('ZADD', KEYS[6], hold.due, about) == 1
  end
  return redis.call('ZREM', KEYS[6], about) == 1
end

function mend.unpaid()
  if stated(KEYS[10], about).state == 'ordered' then
    local time = redis.call('TIME')
    return redis.call('ZADD', KEYS[11], string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), about) == 1
  end
  return redis.call('ZREM', KEYS[11], about) == 1
end

function mend.live()
  local was, to = ARGV[4], ARGV[5]
  if (redis.call('HGET', KEYS[7], about) or '') ~= was then
    return false
  elseif to == '' then
    if stated(KEYS[5], was).state == 'held' and stated(KEYS[5], was).account == about then
      return false
    end
    redis.call('HDEL', KEYS[7], about)
    return true
  end
  local hold = stated(KEYS[5], to)
  if not hold.state then -- of a number in another lot: the account has its place here
    if redis.call('HEXISTS', KEYS[12], to .. '\ta:' .. about) == 0 then
      return false
    end
  elseif hold.state ~= 'held' or hold.account ~= about then
    return false
  end
  redis.call('HSET', KEYS[7], about, to)
  return true
end

function mend.state()
  local key, id, was, to = about == 'hold' and KEYS[5] or KEYS[10], ARGV[4], ARGV[5], ARGV[6]
  local record = stated(key, id)
  if record.state ~= was then
    return false
  end
  record.state = to
  redis.call('HSET', key, id, cjson.encode(record))
  return true
end

function mend.record()
  local order = cjson.decode(ARGV[4])
  local mark = (order.state == 'paid' and 'p:' or 'o:') .. about
  if redis.call('HGET', KEYS[4], order.number) ~= mark then
    return false
  end
  return redis.call('HSETNX', KEYS[10], about, ARGV[4]) == 1
end

function mend.lapse()
  local number, sku, account, person = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
  if redis.call('HGET', KEYS[4], number) ~= 'h:' .. about or redis.call('HEXISTS', KEYS[5], about) == 1 then
    return false
  end
  redis.call('HDEL', KEYS[4], number)
  redis.call('SADD', KEYS[3], number)
  redis.call('ZREM', KEYS[6], about)
  if redis.call('HGET', KEYS[7], account) == about then
    redis.call('HDEL', KEYS[7], account)
  end
  redis.call('HSET', KEYS[5], about, cjson.encode({
    state = 'released', number = number, offer = '', sku = sku, account = account, person = person, seq = 0,
    made = '0', due = '0',
  }))
  limits(account, person, -1)
  move('held', 'free', sku)
  redis.call('XADD', KEYS[13], '*', 'verb', 'release', 'number', number, 'hold', about, 'sku', sku,
    'account', account, 'person', person)
  return true
end

function mend.order()
  local order = cjson.decode(ARGV[4])
  local known = stated(KEYS[10], about).state
  if (known and known ~= 'returned') or redis.call('HEXISTS', KEYS[4], order.number) == 1
    or redis.call('SREM', KEYS[3], order.number) == 0 then
    return false
  end
  redis.call('HSET', KEYS[4], order.number, (order.state == 'paid' and 'p:' or 'o:') .. about)
  redis.call('HSET', KEYS[10], about, ARGV[4])
  if order.state == 'ordered' then
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[11], string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), about)
  end
  if ARGV[5] == 'here' then
    limits(order.account, order.person, 1)
  end
  move('free', order.state, order.sku)
  redis.call('XADD', KEYS[13], '*', 'verb', 'restore', 'number', order.number, 'order', about,
    'sku', order.sku, 'account', order.account, 'person', order.person, 'state', order.state, 'hold', order.hold)
  return true
end

if not mend[what]() then
  return {'moved'}
end
local entry = {'verb', 'mend', 'what', what, 'about', about}
if what == 'owner' or what == 'free' then -- for those who follow which numbers are free
  entry[#entry + 1] = 'to'
  entry[#entry + 1] = redis.call('HEXISTS', KEYS[4], about) == 1 and 'owned' or 'free'
end
redis.call('XADD', KEYS[13], '*', unpack(entry))
return {'mended'}
