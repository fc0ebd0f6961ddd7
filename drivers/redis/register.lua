-- Records how the store is laid out, and a namespace that is about to be used.
--
-- KEYS  store, namespaces
-- ARGV  1 shards, 2 namespace or ""
--
-- Returns the number of shards on record.
local shards = redis.call('HGET', KEYS[1], 'shards')
if not shards then
  redis.call('HSET', KEYS[1], 'format', '1', 'shards', ARGV[1])
  shards = ARGV[1]
end
if shards == ARGV[1] and ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
end
return shards
