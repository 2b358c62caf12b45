-- Take places in a drop's queue, one after the other in the order given. A ticket has one place; joining again gives
-- the same one, unless its turn was missed or is over: then a new one at the end.
--
-- KEYS 1 line  2 rules  3 tickets  4 called  5 entered  6 stays  7 guests  8 queue
-- ARGV 1 epoch  2.. six for each request: ticket, its drawn place or "" (early ones have no other), network or "",
--      device or "", person (verified ID's digest) or "", the place a signed ticket names or "" (it heals what a lost
--      Redis forgot; an early one only before the draw, which cannot be made again)
--
-- Answers  stale, or one list for each request, in order:
--   place <early | n> new | known     early: before the draw, and its place is the drawn one afterwards
--   limit network | device | person   as many places were taken from there as may be
--   closed                            the drop is over

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return {'stale'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local line = redis.call('HMGET', KEYS[1], 'drawn', 'last', 'served', 'come_ms', 'limit_network', 'limit_device',
  'limit_person')
local drawn, last, served, come_ms = line[1] == '1', tonumber(line[2] or 0), tonumber(line[3] or 0), tonumber(line[4])
local limits = {network = tonumber(line[5] or 0), device = tonumber(line[6] or 0),
  person = tonumber(line[7] or 0)}
local rules = redis.call('HMGET', KEYS[2], 'state', 'closes_at')
local over = rules[1] == 'closed' or rules[1] == 'settled' or (tonumber(rules[2]) and now >= tonumber(rules[2]))

local names = {}
for i = 2, #ARGV, 6 do
  names[#names + 1] = ARGV[i]
end
local known = {}
for i, value in ipairs(redis.call('HMGET', KEYS[3], unpack(names))) do
  known[names[i]] = value
end
local fresh, rows = {}, {}

local function is_spent(ticket, place)
  if not drawn or not place or place > served then
    return false
  end
  if tonumber(redis.call('ZSCORE', KEYS[5], ticket)) == place then
    return tonumber(redis.call('ZSCORE', KEYS[6], ticket) or 0) <= now
  end
  local called = redis.call('ZRANGEBYSCORE', KEYS[4], place, '+inf', 'LIMIT', 0, 1)[1]
  return called and now > tonumber(string.match(called, '^%d+')) + come_ms
end

local function full(kind, from)
  if from == '' or limits[kind] < 1 then
    return false
  end
  return tonumber(redis.call('HGET', KEYS[7], kind .. ':' .. from) or 0) >= limits[kind]
end

local function count(kind, from)
  if from ~= '' then
    redis.call('HINCRBY', KEYS[7], kind .. ':' .. from, 1)
  end
end

local function join(ticket, rank, network, device, person, told)
  local has = known[ticket]
  if has and (over or not is_spent(ticket, tonumber(has == 'early' and rank or has))) then
    return {'place', has, 'known'}
  elseif over then
    return {'closed'}
  end
  if not has then
    if full('network', network) then
      return {'limit', 'network'}
    elseif full('device', device) then
      return {'limit', 'device'}
    elseif full('person', person) then
      return {'limit', 'person'}
    end
    count('network', network)
    count('device', device)
    count('person', person)
  end
  local place = 'early'
  if not has and told ~= '' and (told == 'early') == not drawn then
    place = told
  elseif drawn then
    last = last + 1
    place = string.format('%d', last)
  end
  known[ticket] = place
  fresh[#fresh + 1] = ticket
  fresh[#fresh + 1] = place
  rows[#rows + 1] = ticket .. '\t' .. place
  return {'place', place, 'new'}
end

local answers = {}
for i = 2, #ARGV, 6 do
  answers[#answers + 1] = join(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
end
if #rows > 0 then
  redis.call('HSET', KEYS[3], unpack(fresh))
  redis.call('HSET', KEYS[1], 'last', string.format('%d', last))
  redis.call('XADD', KEYS[8], '*', 'verb', 'join', 'rows', table.concat(rows, '\n'))
end
return answers
