-- wrk: shoppers who search, hold a number they were shown, and order it by cash on delivery, one after the other.
--
-- wrk -t N -c N -d LONG -s orders.lua URL -- SECONDS N DROP OFFER FILE FIRST COUNT
--
-- One thread is one connection, so each shopper's three requests follow one another. FILE holds a shopper a line:
-- token, tab, mobile. COUNT shoppers from FIRST (0 is the first) on buy, each once, shared among the threads by turns. A
-- number that is taken is asked for again among the alternatives, and what was answered with 503 is sent again as it was,
-- for it may have been done. After SECONDS nobody new begins, and who has begun is
-- waited for; then wrk ends, at LONG at the latest. Environment: PORTS, by comma: the threads take them by turns.
-- Prints a line of JSON: answers by request and status, orders placed, seconds from the first request to the last
-- answer, microseconds (p50, p99, longest) of each request and of the three together, socket errors.

local shared = dofile(string.match(debug.getinfo(1, "S").source, "@(.*/)") .. "shared.lua")

function setup(thread)
  shared.add(thread)
end

function init(args)
  time, threads, drop, offer = tonumber(args[1]) * 1e6, tonumber(args[2]), args[3], args[4]
  people = shared.lines(args[5], tonumber(args[6]), tonumber(args[7]), turn, threads)
  host = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nAuthorization: Bearer "
  at, step, began, ended = 0, "search", nil, 0
  math.randomseed(turn)
  shared.ready(turn, threads, start_at)
end

local function post(path, body, more)
  return "POST " .. path .. host .. who.token .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body
    .. "\r\n" .. more .. "\r\n" .. body
end

-- Milliseconds before the next request: when it would be a new shopper's and time or people are over, for ever.
function delay()
  began = began or shared.began(start_at)
  if step == "search" and (shared.now() - began >= time or at >= #people) then
    shared.finish(turn, threads, over_at)
    return 600000
  end
  return again and 1000 or 0
end

function request()
  if not began then -- wrk only tries what a request looks like
    return "GET /healthz HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
  end
  asked = shared.now()
  if step == "search" then
    at = at + 1
    local token, mobile = string.match(people[at], "^(.-)\t(.*)$")
    who, started, tries = { token = token, mobile = mobile }, asked, 0
    return "GET /api/v1/drops/" .. drop .. "/numbers?limit=20" .. host .. who.token .. "\r\n\r\n"
  elseif step == "hold" then
    return post("/api/v1/drops/" .. drop .. "/holds",
      '{"number":"' .. wish .. '","like":"' .. wish .. '","offer":"' .. offer .. '"}', "")
  end
  return post("/api/v1/orders", '{"hold":"' .. hold .. '","payment":"cod","receiver":{"name":"测试","mobile":"'
    .. who.mobile .. '","province":"北京市","city":"110100","district":"朝阳区","address":"示范路8号2单元301室"}}',
    "Idempotency-Key: bench-" .. hold .. "\r\n")
end

local function choose(body)
  local found = {}
  for number in string.gmatch(body, '"number": *"(%d+)"') do
    found[#found + 1] = number
  end
  wish = found[math.random(math.max(1, #found))]
  return wish ~= nil
end

function response(status, headers, body)
  local at_last = shared.now()
  ended = at_last - began
  local named = shared.named(status, body)
  shared.count(step .. " " .. named)
  shared.took(step, at_last - asked)
  again = step ~= "search" and status == 503 and tries < 10
  if step == "search" and status == 200 and choose(body) then
    step = "hold"
  elseif step == "hold" and status == 201 then
    hold, step = string.match(body, '"hold": *"([^"]+)"'), "order"
  elseif step == "hold" and named == "409 taken" and choose(body) then
    step = "hold"
  elseif again then
    tries = tries + 1
  else
    if step == "order" and status == 201 then
      shared.took("all", at_last - started)
    end
    step = "search"
  end
end

function done(summary, latency, requests)
  local times = {}
  for nth, what in ipairs({ "search", "hold", "order", "all" }) do
    times[nth] = string.format('"%s": %s', what, shared.times(what))
  end
  io.write(string.format('\n{"orders": %d, %s, "us": {%s}}\n', shared.total("order 201"), shared.told(summary),
    table.concat(times, ", ")))
end
