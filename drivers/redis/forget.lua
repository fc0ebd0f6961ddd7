-- Takes names out of the index whose threads are gone: the server has removed
-- them when they expired, or evicted them.
--
-- KEYS  index, expiry, then the list of each thread
-- ARGV  the threads' names
for i, name in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 2]) == 0 then
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
  end
end
return 1
