-- wrk: connections that each ask, wait for the answer and ask again; every answer is counted, none is cut off.
--
-- wrk -t THREADS -c 64 -d SECONDS+1 -s line.lua URL -- SECONDS THREADS METHOD PATH [FILE FIRST COUNT]
--
-- FILE holds a prepared request a line: token, tab, body or path to add. COUNT lines from FIRST (0 is the first) on
-- are sent, each once, shared among the threads by turns. Without a FILE one request is sent again and again.
-- After SECONDS, or after the last line, nothing new is sent and what is under way is waited for, so whatever the
-- server accepted was counted here. Environment: PORTS, by comma, one a thread, else the URL's.
-- Prints a line of JSON: requests sent, answers by status (a refusal's with its code), seconds from the first request to the last
-- answer, latencies in microseconds over all answers, socket errors.

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } haoka_time; int clock_gettime(int, haoka_time *);")
local moment = ffi.new("haoka_time")
local made = {}

local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) + tonumber(moment.ns) / 1e9
end

function setup(thread)
  made[#made + 1] = thread
  thread:set("turn", #made)
  local nth = 0
  for port in string.gmatch(os.getenv("PORTS") or "", "%d+") do
    nth = nth + 1
    if nth == #made then
      thread.addr = wrk.lookup(wrk.host, port)[1]
    end
  end
end

function init(args)
  seconds, method = tonumber(args[1]), args[3]
  local start = method .. " " .. args[4]
  local host = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n"
  planned, at, began, ended, counts = 0, 0, nil, 0, {}
  if args[5] then
    lines, head, tail = {}, start, host .. "Authorization: Bearer "
    local threads, first, count, nth = tonumber(args[2]), tonumber(args[6]), tonumber(args[7]), 0
    for line in io.lines(args[5]) do
      if nth >= first + count then
        break
      elseif nth >= first and nth % threads == turn % threads then
        lines[#lines + 1] = line
      end
      nth = nth + 1
    end
  elseif method == "POST" then
    local body = '{"number": "18600131234", "offer": "hold-card"}'
    whole = start .. host .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  else
    whole = start .. host .. "\r\n"
  end
end

-- Milliseconds a connection waits before its next request: what must not be sent any more outlasts the run.
function delay()
  began = began or now()
  if now() - began >= seconds or (lines and planned >= #lines) then
    return 600000
  end
  planned = planned + 1
  return 0
end

function request()
  if whole then
    return whole
  end
  if began then -- before that wrk only tries what a request looks like
    at = at + 1
  end
  local token, rest = string.match(lines[math.max(at, 1)] or "\t", "^([^\t]*)\t(.*)$")
  if method == "GET" then
    return head .. rest .. tail .. token .. "\r\n\r\n"
  end
  return head .. tail .. token .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #rest .. "\r\n\r\n" .. rest
end

function response(status, headers, body)
  ended = now() - began
  local what = tostring(status)
  if status >= 400 then
    what = what .. " " .. (string.match(body, '"code": *"([a-z_]+)"') or "")
  end
  counts[what] = (counts[what] or 0) + 1
end

function done(summary, latency, requests)
  local total, longest, told, sent = {}, 0, {}, 0
  for _, thread in ipairs(made) do
    for what, count in pairs(thread:get("counts")) do
      total[what] = (total[what] or 0) + count
    end
    longest = math.max(longest, thread:get("ended"))
    sent = sent + thread:get("planned")
  end
  for what, count in pairs(total) do
    told[#told + 1] = string.format('"%s": %d', what, count)
  end
  local errors = summary.errors
  io.write(string.format('\n{"sent": %d, "answers": {%s}, "seconds": %.4f, "p50_us": %d, "p99_us": %d, "most_us": %d, "errors": %d}\n',
    sent, table.concat(told, ", "), longest, latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect + errors.read + errors.write + errors.timeout))
end
