-- Cut the journal up to an entry, after SQL has it. Readers that have not read so far see from `trimmed` that
-- what they miss is in the archive.
--
-- KEYS 1 epoch  2 journal  3 trimmed
-- ARGV 1 epoch  2 id of the last entry to go
--
-- Answers  trimmed <entries gone>
--          old                   the journal was cut that far before
--          stale

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'stale'}
end

local function parts(id)
  local time, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(time), tonumber(sequence)
end

local time, sequence = parts(ARGV[2])
local before = redis.call('GET', KEYS[3])
if before then
  local last, n = parts(before)
  if time < last or (time == last and sequence <= n) then
    return {'old'}
  end
end
local gone = redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-%d', time, sequence + 1))
redis.call('SET', KEYS[3], ARGV[2])
return {'trimmed', gone}
