-- Take a place within a limit, in the home lot of an account or a person: the limits of a drop that lies in several
-- lots. The place is taken before the hold is asked for in the number's lot, and is given up when that is refused.
--
-- KEYS 1 epoch  2 rules  3 live  4 used  5 total  6 places  7 unsure  8 loading
-- ARGV 1 epoch  2.. four for each: hold, who ("a:" account or "p:" person), mode, lot of the number
--      mode  hold     an account's place makes the hold its live one
--            count    the limit is asked, nothing else
--            restore  not even that: the order it belongs to stands
--
-- Answers  stale, or one list for each, in order:
--   placed          now
--   known <lot>     before, for a number of that lot
--   live <hold>     the account has this other live hold
--   limit account | person
--
-- `unsure` has the moment: a place whose hold never came is found there (inventory/lots.py).

if (redis.call('GET', KEYS[1]) or redis.call('GET', KEYS[8])) ~= ARGV[1] then
  return {'stale'}
end
local rules = redis.call('HMGET', KEYS[2], 'limit_account', 'limit_person')
local limits = {a = tonumber(rules[1]), p = tonumber(rules[2])}
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))

local function place(hold, who, mode, lot)
  local id = hold .. '\t' .. who
  local known = redis.call('HGET', KEYS[6], id)
  if known then
    return {'known', known}
  end
  local kind = string.sub(who, 1, 1)
  if kind == 'a' and mode == 'hold' then
    local live = redis.call('HGET', KEYS[3], string.sub(who, 3))
    if live then
      return {'live', live}
    end
  end
  if mode ~= 'restore' and tonumber(redis.call('HGET', KEYS[5], who) or 0) >= limits[kind] then
    return {'limit', kind == 'a' and 'account' or 'person'}
  end
  redis.call('HSET', KEYS[6], id, lot)
  redis.call('ZADD', KEYS[7], now, id)
  redis.call('HINCRBY', KEYS[4], who, 1)
  if KEYS[4] ~= KEYS[5] then
    redis.call('HINCRBY', KEYS[5], who, 1)
  end
  if kind == 'a' and mode == 'hold' then
    redis.call('HSET', KEYS[3], string.sub(who, 3), hold)
  end
  return {'placed'}
end

local answers = {}
for i = 2, #ARGV, 4 do
  answers[#answers + 1] = place(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
return answers
