-- Draw at the opening, then let people in: as many as the pace, the room inside and the stock allow. Called by every web
-- process a few times a second; what it does depends on Redis's clock, not on who calls or how often.
--
-- KEYS 1 line  2 rules  3 tickets  4 called  5 entered  6 stays  7 buyers  8 queue
-- ARGV 1 epoch  2 numbers free in all lots  3 numbers held or ordered but not paid, in all lots
--      4 numbers nobody ever had free again are sold: how many were ever taken
--      5 ms within which three in four of the caller's last answers came
--
-- Answers  off | not_open | paused | closed       nobody is let in
--          soon                                   the last step is too short ago
--          gone <second chance ms or "">          nothing is free, or what came back waits for its announced time
--          let <n> <served>                       so many were called now, up to that place
--          stale
--
-- Of those called some do not come: `came` of the last some hundred `asked` (weighed less the older they are) says how
-- many, and so many more are called, so that as many come in as the pace says. A step counts when four times as long has
-- gone by as people take to come (enter), five seconds at least, and not while answers are late: who is missing then may
-- be on the way, and to call more would make it worse. Until it counts, who is missing is expected the less the longer
-- they are: of those who come, e^-1 are not there yet after as long as people take on the average.

local SOON, STEP_MS, GRACE_MS, PATIENCE, MEMORY = 'soon', 200, 5000, 4, 200
local LATE_MS, WELL_MS, LEAST = 600, 300, 0.05 -- answers are late, or well again; the slowest pace, of the rate
local LEAST_DELAY_MS = 500 -- people take so long to come at least
local EFFECT_MS = 2000 -- so long the caller looks back for what it answered
local DOUBT = 5 -- it begins as if so many had been called and had come: one who is late says little

local told = redis.call('HGETALL', KEYS[1])
local line = {}
for i = 1, #told, 2 do
  line[told[i]] = told[i + 1]
end
if line.epoch ~= ARGV[1] then
  return {'stale'}
end
if line.mode == 'off' then
  return {'off'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rules = redis.call('HMGET', KEYS[2], 'state', 'opens_at', 'closes_at', 'hold_ms')
if rules[1] == 'paused' then
  return {'paused'}
elseif rules[1] and (rules[1] ~= 'open' or (tonumber(rules[3]) and now >= tonumber(rules[3]))) then
  return {'closed'}
elseif not rules[1] or now < tonumber(rules[2]) then
  return {'not_open'}
end

local changed = {}
local function set(name, value)
  line[name] = value
  changed[#changed + 1] = name
  changed[#changed + 1] = value
end
local function n(name, default)
  return tonumber(line[name] or default)
end
local function whole(value)
  return string.format('%d', value)
end
local function tell(...)
  redis.call('XADD', KEYS[8], '*', ...)
end
local function save()
  if #changed > 0 then
    redis.call('HSET', KEYS[1], unpack(changed))
  end
end

local rate, cap = n('rate'), n('cap')
if line.drawn ~= '1' then
  local early = redis.call('HLEN', KEYS[3])
  set('drawn', '1')
  set('early', whole(early))
  set('last', whole(early))
  set('served', '0')
  set('at', whole(now))
  set('credit', whole(math.min(cap, rate)))
  set('busy', early > cap and '1' or '0')
  tell('verb', 'draw', 'tickets', whole(early))
elseif now - n('at', 0) < STEP_MS then
  return {SOON}
end

local free, slow = tonumber(ARGV[2]), tonumber(ARGV[5])
if free < 1 then
  if not line.gone or line.gone == '' then
    local again = tonumber(ARGV[3]) > 0 and whole(now + tonumber(rules[4])) or ''
    set('gone', whole(now))
    set('second_at', again)
    tell('verb', 'gone', 'second_at', again)
  elseif line.second_at ~= '' and now >= n('second_at') then
    -- The second chance found nothing: the next one is announced, or there is none any more.
    local again = tonumber(ARGV[3]) > 0 and whole(now + tonumber(rules[4])) or ''
    if again ~= line.second_at then
      set('second_at', again)
      tell('verb', 'gone', 'second_at', again)
    end
  end
  set('at', whole(now))
  save()
  return {'gone', line.second_at}
elseif line.gone and line.gone ~= '' then
  if line.second_at == '' then -- it came back unannounced: announced now, with time to hear of it
    set('second_at', whole(now + math.min(tonumber(rules[4]), 60000)))
    tell('verb', 'gone', 'second_at', line.second_at)
  end
  if now < n('second_at') then
    set('at', whole(now))
    save()
    return {'gone', line.second_at}
  end
  set('gone', '')
  set('second_at', '')
  set('credit', '0')
  tell('verb', 'again', 'free', whole(free))
end

-- The pace follows the machine: slower at once when answers are late, and once more when that has had its effect; faster
-- bit by bit.
local factor = n('factor', 1)
if slow > LATE_MS then
  if now - n('slowed', 0) >= EFFECT_MS then
    factor = math.max(LEAST, factor * 0.6)
    set('slowed', whole(now))
  end
elseif slow < WELL_MS then
  factor = math.min(1, factor * 1.1)
end
set('factor', string.format('%.4f', factor))

-- Of those called long enough ago, how many came?
local served, due = n('served', 0), n('due', 0)
local upto, grace = due, math.min(n('come_ms'), math.max(GRACE_MS, PATIENCE * n('delay', 0)))
local steps = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. due, '+inf', 'WITHSCORES', 'LIMIT', 0, 100)
for i = 1, #steps, 2 do
  if slow >= WELL_MS or tonumber(string.match(steps[i], '^%d+')) > now - grace then
    break
  end
  upto = tonumber(steps[i + 1])
end
local came, asked = n('came', 0), n('asked', 0)
if upto > due then
  local keep = math.pow(0.5, (upto - due) / MEMORY)
  came = came * keep + redis.call('ZCOUNT', KEYS[5], '(' .. due, upto)
  asked = asked * keep + upto - due
  due = upto
  set('due', whole(due))
  set('came', string.format('%.3f', came))
  set('asked', string.format('%.3f', asked))
end
local share = math.min(1, math.max(0.05, (came + DOUBT) / (asked + DOUBT))) -- of those called, who come
local function missing(after, last)
  return math.max(0, last - after - redis.call('ZCOUNT', KEYS[5], '(' .. string.format('%d', after), last))
end
local function on_the_way() -- how many of those who are missing will come
  local sum, from, mean = 0, due, math.max(LEAST_DELAY_MS, n('delay', 0))
  for i = 1, #steps, 2 do
    local last = tonumber(steps[i + 1])
    if last > due then
      local still = share
      if slow < WELL_MS then
        still = share * math.exp(-(now - tonumber(string.match(steps[i], '^%d+'))) / mean)
      end
      sum = sum + missing(from, last) * still / math.max(still + 1 - share, 1e-9)
      from = last
    end
  end
  return sum + missing(from, served) * share
end

-- Of those who came in, how many have bought?
local taken, inside = tonumber(ARGV[4]), redis.call('ZCOUNT', KEYS[6], '(' .. now, '+inf')
local browsing = inside - redis.call('ZCOUNT', KEYS[7], '(' .. now, '+inf')
local through = redis.call('ZCARD', KEYS[5]) - browsing
local buy = through >= 20 and math.min(1, math.max(0.1, taken / through)) or 1
set('buy', string.format('%.4f', buy))

local waiting = n('last', 0) - served
local credit = math.min(n('credit', 0) + rate * factor * math.min(2000, now - n('at', now)) / 1000, math.max(1, 2 * rate))
local coming = browsing + on_the_way()
local room = math.min(cap - coming, math.ceil(free / buy * 1.2) + 2 - coming)
local let = math.max(0, math.min(waiting, math.floor(math.min(credit, room) / share)))
if waiting < 1 then
  credit = math.min(credit, math.max(1, rate / 4)) -- a quiet time saves nothing up
end
if line.busy == '1' then
  if waiting < 1 and inside < cap / 2 and slow < WELL_MS then
    if not line.calm or line.calm == '' then
      set('calm', whole(now))
    elseif now - n('calm') > 10000 then
      set('busy', '0')
      set('calm', '')
      tell('verb', 'calm')
    end
  else
    set('calm', '')
  end
elseif line.mode == 'busy' and (slow > LATE_MS or taken - n('taken', taken) > rate * (now - n('at', now)) / 1000 + rate) then
  set('busy', '1')
  set('calm', '')
  tell('verb', 'busy')
end
set('taken', whole(taken))
set('inside', whole(browsing))
set('credit', string.format('%.3f', credit - let * share))
set('at', whole(now))
if let > 0 then
  served = served + let
  set('served', whole(served))
  redis.call('ZADD', KEYS[4], served, whole(now) .. ':' .. whole(served))
  tell('verb', 'let', 'served', whole(served), 'inside', whole(browsing), 'free', whole(free))
end
save()
return {'let', let, whole(served)}
