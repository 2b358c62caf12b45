-- What both wrk scripts need: the time, the threads, and an early end once every answer is there.

local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long s; long ns; } haoka_time;
  int clock_gettime(int, haoka_time *);
  int getpid(void);
  int kill(int, int);
  int usleep(unsigned);
]])
local moment = ffi.new("haoka_time")
local over = ffi.new("uint8_t[4096]")
local start = ffi.new("double[1]")
local shared = { threads = {} }

-- Microseconds of a clock that only goes forward.
function shared.now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) * 1e6 + tonumber(moment.ns) / 1e3
end

-- Call it in setup(): the thread learns its turn, and takes its port of the environment's PORTS.
function shared.add(thread)
  local threads, ports = shared.threads, {}
  threads[#threads + 1] = thread
  thread:set("turn", #threads)
  thread:set("over_at", tonumber(ffi.cast("uintptr_t", over)))
  thread:set("start_at", tonumber(ffi.cast("uintptr_t", start)))
  for port in string.gmatch(os.getenv("PORTS") or "", "%d+") do
    ports[#ports + 1] = port
  end
  if #ports > 0 then
    thread.addr = wrk.lookup(wrk.host, ports[(#threads - 1) % #ports + 1])[1]
  end
end

-- This thread has all its answers; when all have, wrk ends now (as by Ctrl-C) instead of at the end of its time.
function shared.finish(turn, threads, over_at)
  local flags = ffi.cast("uint8_t *", over_at)
  flags[turn - 1] = 1
  for other = 0, threads - 1 do
    if flags[other] == 0 then
      return
    end
  end
  ffi.C.kill(ffi.C.getpid(), 2)
end

-- Call it at the end of init(): wrk readies its threads one after the other, and each would begin while the next ones
-- still read. They all begin a little after the last one is ready.
function shared.ready(turn, threads, start_at)
  if turn == threads then
    ffi.cast("double *", start_at)[0] = shared.now() + 50000
  end
end

-- Waits for the moment at which all threads begin, and gives it.
function shared.began(start_at)
  local moment_at = ffi.cast("double *", start_at)
  while moment_at[0] == 0 do
    ffi.C.usleep(5000)
  end
  local rest = moment_at[0] - shared.now()
  if rest > 0 then
    ffi.C.usleep(rest)
  end
  return moment_at[0]
end

-- The lines of a file from one on (0 is the first), so many, each for one of the threads by turns. All lines are as long,
-- with spaces at their end: none is read for which another thread is there.
function shared.lines(file, first, count, turn, threads)
  local found, input = {}, assert(io.open(file))
  local width = #(input:read("*l") or "") + 1
  for nth = first + turn - 1, first + count - 1, threads do
    input:seek("set", nth * width)
    local line = input:read("*l")
    if not line then
      break
    end
    found[#found + 1] = string.match(line, "^(.-) *$")
  end
  input:close()
  return found
end

-- What a thread counts and times lies in globals of numbers and strings: with a table, thread:get() takes one value too
-- many off the thread's stack (wrk 4.1), and what lies there then is anything.
function shared.count(what)
  local name = "count " .. what
  if not _G[name] then
    kinds, _G[name] = (kinds or "") .. what .. "\n", 0
  end
  _G[name] = _G[name] + 1
end

-- Keep a time under a name.
function shared.took(what, time)
  local nth = (_G["times " .. what] or 0) + 1
  _G["times " .. what], _G["time " .. what .. nth] = nth, time
end

-- How often something was counted, in all threads.
function shared.total(what)
  local total = 0
  for _, thread in ipairs(shared.threads) do
    total = total + (thread:get("count " .. what) or 0)
  end
  return total
end

-- The times of all threads under a name as JSON: half were no longer, 99 of 100 were no longer, the longest.
function shared.times(what)
  local list = {}
  for _, thread in ipairs(shared.threads) do
    for nth = 1, thread:get("times " .. what) or 0 do
      list[#list + 1] = thread:get("time " .. what .. nth)
    end
  end
  table.sort(list)
  local function part(share)
    return list[math.max(1, math.ceil(share * #list))] or 0
  end
  return string.format("[%d, %d, %d]", part(0.5), part(0.99), part(1))
end

-- All threads' answers as JSON, and how long the longest was at it, in seconds.
function shared.told(summary)
  local seen, told, longest = {}, {}, 0
  for _, thread in ipairs(shared.threads) do
    longest = math.max(longest, thread:get("ended"))
    for what in string.gmatch(thread:get("kinds") or "", "[^\n]+") do
      if not seen[what] then
        seen[what], told[#told + 1] = true, string.format('"%s": %d', what, shared.total(what))
      end
    end
  end
  local errors = summary.errors
  return string.format('"answers": {%s}, "seconds": %.4f, "errors": %d', table.concat(told, ", "), longest / 1e6,
    errors.connect + errors.read + errors.write + errors.timeout)
end

-- The status, a refusal's with its code.
function shared.named(status, body)
  return status >= 400 and status .. " " .. (string.match(body, '"code": *"([a-z_]+)"') or "") or tostring(status)
end

return shared
