-- Begin to load a drop under a new epoch. A load that is already under way goes on under its own.
--
-- KEYS 1 epoch  2 loading  3.. every other key of the drop
-- ARGV 1 the new epoch  2 first | again (a published drop was lost: what is left of it is removed)
--
-- Answers  begun <epoch to load under>
--          live                  the drop is published: it is never loaded again over live holds

if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'live'}
end
if ARGV[2] == 'again' then
  redis.call('DEL', unpack(KEYS, 2))
end
redis.call('SETNX', KEYS[2], ARGV[1])
return {'begun', redis.call('GET', KEYS[2])}
