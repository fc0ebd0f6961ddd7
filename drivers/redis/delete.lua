-- Removes a thread with everything that belongs to it.
--
-- KEYS  list, past, index, expiry
-- ARGV  1 name
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return 1
