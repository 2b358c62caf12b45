-- Begin to load a drop (or one of its lots) under a new epoch. A load that is already under way goes on under its own.
--
-- KEYS 1 epoch  2 loading  3 used  4 total  5.. every other key of the drop
-- ARGV 1 the new epoch
--      2 first   go on with a load that is under way, else begin
--        join    as another lot of the same drop is loaded: whatever else was begun here is removed
--        again   a published drop was lost: what is left of it is removed
--      3 with `again`: the epoch that was lost; a lot of the drop that survived under it is removed too
--
-- Answers  begun <epoch to load under>
--          live                  the drop is published: it is never loaded again over live holds

local epoch, loading = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if epoch and not (ARGV[2] == 'again' and epoch == ARGV[3]) then
  return {'live'}
end
if ARGV[2] == 'again' or (ARGV[2] == 'join' and loading ~= ARGV[1]) then
  if KEYS[3] ~= KEYS[4] then
    local used = redis.call('HGETALL', KEYS[3])
    for i = 1, #used, 2 do
      if used[i] ~= 'epoch' then
        redis.call('HINCRBY', KEYS[4], used[i], '-' .. used[i + 1])
      end
    end
    redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], unpack(KEYS, 5))
  else
    redis.call('DEL', unpack(KEYS))
  end
end
redis.call('SETNX', KEYS[2], ARGV[1])
return {'begun', redis.call('GET', KEYS[2])}
