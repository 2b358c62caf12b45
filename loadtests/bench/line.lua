-- wrk: connections that each ask, wait for the answer and ask again; every answer is counted, none is cut off.
--
-- wrk -t THREADS -c 64 -d LONG -s line.lua URL -- SECONDS THREADS METHOD PATH [FILE FIRST COUNT]
--
-- FILE holds a prepared request a line: token, tab, body or what to add to the path. COUNT lines from FIRST (0 is the
-- first) on are sent, each once, shared among the threads by turns. Without a FILE one request is sent again and again.
-- After SECONDS, or after the last line, nothing new is sent; with the last answer wrk ends, at LONG at the latest, so
-- whatever the server accepted was counted here. Environment: PORTS, by comma, one a thread, else the URL's; RATE, how many
-- requests a second all threads send together at most, else as many as are answered.
-- Prints a line of JSON: requests sent, answers by status (a refusal's with its code), seconds from the first request
-- to the last answer, latencies in microseconds over all answers, socket errors.

local shared = dofile(string.match(debug.getinfo(1, "S").source, "@(.*/)") .. "shared.lua")

function setup(thread)
  shared.add(thread)
end

function init(args)
  time, threads = tonumber(args[1]) * 1e6, tonumber(args[2])
  local method, start = args[3], args[3] .. " " .. args[4]
  local host = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n"
  planned, answered, at, began, ended = 0, 0, 0, nil, 0
  local rate = tonumber(os.getenv("RATE") or "")
  every = rate and 1e6 * threads / rate or 0
  if args[5] then
    lines = shared.lines(args[5], tonumber(args[6]), tonumber(args[7]), turn, threads)
    asks, head, tail = method == "GET", start, host .. "Authorization: Bearer "
  elseif method == "POST" then
    local body = '{"number": "18600131234", "offer": "hold-card"}'
    whole = start .. host .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  else
    whole = start .. host .. "\r\n"
  end
  shared.ready(turn, threads, start_at)
end

local function over()
  return shared.now() - began >= time or (lines and planned >= #lines)
end

-- Milliseconds a connection waits before its next request: what must not be sent any more outlasts the run.
function delay()
  began = began or shared.began(start_at)
  if over() then
    return 600000
  end
  planned = planned + 1
  return math.max(0, math.floor((began + (planned - 1) * every - shared.now()) / 1000 + 0.5))
end

function request()
  if whole then
    return whole
  end
  if began then -- before that wrk only tries what a request looks like
    at = at + 1
  end
  local token, rest = string.match(lines[math.max(at, 1)] or "\t", "^([^\t]*)\t(.*)$")
  if asks then
    return head .. rest .. tail .. token .. "\r\n\r\n"
  end
  return head .. tail .. token .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #rest .. "\r\n\r\n" .. rest
end

function response(status, headers, body)
  ended = shared.now() - began
  answered = answered + 1
  shared.count(shared.named(status, body))
  if answered == planned and over() then
    shared.finish(turn, threads, over_at)
  end
end

function done(summary, latency, requests)
  local sent = 0
  for _, thread in ipairs(shared.threads) do
    sent = sent + thread:get("planned")
  end
  io.write(string.format('\n{"sent": %d, %s, "p50_us": %d, "p99_us": %d, "most_us": %d}\n', sent,
    shared.told(summary), latency:percentile(50), latency:percentile(99), latency.max))
end
