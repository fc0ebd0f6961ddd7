-- Removes those of some threads that have expired.
--
-- KEYS  index, expiry, then list and past of each thread
-- ARGV  1 now, microseconds; then the threads' names
--
-- Returns how many threads were removed, and how many names left the expiry
-- index: also those of threads that the server had removed by itself.
local removed, cleaned = 0, 0
for i = 2, #ARGV do
  local list, past = KEYS[2 * i - 1], KEYS[2 * i]
  local info = redis.call('LINDEX', list, 1)
  local ends = info and string.match(info, '^1 %d+ %S+ (%-?%d*) ')
  if not info or ends and ends ~= '-' and ends ~= '' and tonumber(ends) <= tonumber(ARGV[1]) then
    if info then
      removed = removed + 1
      redis.call('UNLINK', list, past)
    end
    cleaned = cleaned + 1
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return {removed, cleaned}
