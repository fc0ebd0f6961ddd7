-- Removes threads, or those of them that have expired.
--
-- KEYS  index, expiry, then list and past of each thread
-- ARGV  1 now, microseconds; 2 "expired" or "all"; then the threads' names
--
-- Returns how many threads were removed, of "all" only the live ones counted,
-- and how many names left the indexes: also those of threads that the server had
-- removed by itself.
local removed, cleaned = 0, 0
for i = 3, #ARGV do
  local list, past = KEYS[2 * i - 3], KEYS[2 * i - 2]
  local line = redis.call('LINDEX', list, 1)
  local latest = read(line)
  local expired = latest and not live(latest, ARGV[1]) or false
  if not line or expired or ARGV[2] == 'all' then
    if line and expired == (ARGV[2] == 'expired') then removed = removed + 1 end
    redis.call('UNLINK', list, past)
    cleaned = cleaned + 1
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return {removed, cleaned}
