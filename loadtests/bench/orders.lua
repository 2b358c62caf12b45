-- wrk: shoppers who search, hold a number they were shown, and order it by cash on delivery, one after the other.
--
-- wrk -t N -c N -d SECONDS+1 -s orders.lua URL -- SECONDS N DROP OFFER FILE FIRST COUNT
--
-- One thread is one connection, so each shopper's three requests follow one another. FILE holds a shopper a line:
-- token, tab, mobile. COUNT shoppers from FIRST (0 is the first) on buy, each once, shared among the threads by turns. A
-- number that is taken is asked for again among the alternatives. After SECONDS nobody new begins, and who has begun is
-- waited for. Environment: PORTS, by comma: the threads take them by turns.
-- Prints a line of JSON: answers by request and status, orders placed, seconds from the first request to the last
-- answer, microseconds (p50, p99, longest) of each request and of the three together, socket errors.

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } haoka_time; int clock_gettime(int, haoka_time *);")
local moment = ffi.new("haoka_time")
local made = {}

local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) * 1e6 + tonumber(moment.ns) / 1e3
end

function setup(thread)
  made[#made + 1] = thread
  thread:set("turn", #made)
  local ports = {}
  for port in string.gmatch(os.getenv("PORTS") or "", "%d+") do
    ports[#ports + 1] = port
  end
  if #ports > 0 then
    thread.addr = wrk.lookup(wrk.host, ports[#made % #ports + 1])[1]
  end
end

function init(args)
  seconds, threads, drop, offer = tonumber(args[1]), tonumber(args[2]), args[3], args[4]
  host = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nAuthorization: Bearer "
  people, at, step, began, ended, counts = {}, 0, "search", 0, 0, {}
  took_search, took_hold, took_order, took_all = {}, {}, {}, {} -- microseconds; wrk cannot copy a table of tables
  local first, count, nth = tonumber(args[6]), tonumber(args[7]), 0
  for line in io.lines(args[5]) do
    if nth >= first + count then
      break
    elseif nth >= first and nth % threads == turn % threads then
      local token, mobile = string.match(line, "^(.-)\t(.*)$")
      people[#people + 1] = { token = token, mobile = mobile }
    end
    nth = nth + 1
  end
  math.randomseed(turn)
end

local function post(path, body, more)
  return "POST " .. path .. host .. who.token .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body
    .. "\r\n" .. more .. "\r\n" .. body
end

-- Milliseconds before the next request: when it would be a new shopper's and the time or the people are over, for ever.
function delay()
  if began == 0 then
    began = now()
  end
  if step == "search" and (now() - began >= seconds * 1e6 or at >= #people) then
    wrk.thread:stop()
    return 600000
  end
  return 0
end

function request()
  if began == 0 then -- wrk only tries what a request looks like
    return "GET /healthz HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
  end
  asked = now()
  if step == "search" then
    at = at + 1
    who, started = people[at], asked
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
  local at_last = now()
  ended = at_last - began
  local code = status >= 400 and " " .. (string.match(body, '"code": *"([a-z_]+)"') or "") or ""
  local what = step .. " " .. status .. code
  counts[what] = (counts[what] or 0) + 1
  local took = _G["took_" .. step]
  took[#took + 1] = at_last - asked
  if step == "search" and status == 200 and choose(body) then
    step = "hold"
  elseif step == "hold" and status == 201 then
    hold, step = string.match(body, '"hold": *"([^"]+)"'), "order"
  elseif step == "hold" and code == " taken" and choose(body) then
    step = "hold"
  else
    if step == "order" and status == 201 then
      took_all[#took_all + 1] = at_last - started
    end
    step = "search"
  end
end

function done(summary, latency, requests)
  local total, all, told, longest = {}, {}, {}, 0
  for _, thread in ipairs(made) do
    for what, count in pairs(thread:get("counts")) do
      total[what] = (total[what] or 0) + count
    end
    for _, what in ipairs({ "search", "hold", "order", "all" }) do
      all[what] = all[what] or {}
      for _, time in pairs(thread:get("took_" .. what)) do
        table.insert(all[what], time)
      end
    end
    longest = math.max(longest, thread:get("ended"))
  end
  for what, count in pairs(total) do
    told[#told + 1] = string.format('"%s": %d', what, count)
  end
  local times = {}
  for what, list in pairs(all) do
    table.sort(list)
    local function part(share)
      return list[math.max(1, math.ceil(share * #list))] or 0
    end
    times[#times + 1] = string.format('"%s": [%d, %d, %d]', what, part(0.5), part(0.99), part(1))
  end
  local errors = summary.errors
  io.write(string.format('\n{"answers": {%s}, "orders": %d, "seconds": %.4f, "us": {%s}, "errors": %d}\n',
    table.concat(told, ", "), total["order 201"] or 0, longest / 1e6, table.concat(times, ", "),
    errors.connect + errors.read + errors.write + errors.timeout))
end
