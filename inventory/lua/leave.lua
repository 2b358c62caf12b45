-- Those inside who have what they came for: they hold a number, and their room is another's. Their stay goes on.
--
-- KEYS 1 line  2 stays  3 buyers  4 queue
-- ARGV 1 epoch  2.. tickets
--
-- Answers  stale, or left for each

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return {'stale'}
end
local answers, rows = {}, {}
for i = 2, #ARGV do
  local till = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if till then
    redis.call('ZADD', KEYS[3], till, ARGV[i])
  end
  rows[#rows + 1] = ARGV[i]
  answers[#answers + 1] = {'left'}
end
redis.call('XADD', KEYS[4], '*', 'verb', 'buy', 'rows', table.concat(rows, '\n'))
return answers
