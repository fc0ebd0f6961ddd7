-- Records how the store is laid out, and a namespace that is about to be used.
--
-- KEYS  store, namespaces
-- ARGV  1 shards, 2 namespace or "", 3 the key of some thread in it
--       4 create  "1" to make a record where there is none
--
-- Returns the number of shards on record, nil where nothing is.

-- Without a right that save.lua needs it would stop half-way.
if ARGV[2] ~= '' and redis.acl_check_cmd then
  for _, command in ipairs({
    {'LINDEX', 0}, {'LLEN'}, {'EXISTS'}, {'LPUSH', ''}, {'LPUSHX', ''}, {'LTRIM', 0, 0}, {'UNLINK'}, {'RENAME', ARGV[3]},
    {'HGET', ''}, {'HSET', '', ''}, {'HDEL', ''}, {'ZADD', 0, ''}, {'ZREM', ''}, {'ZRANGEBYSCORE', 0, 0},
    {'PEXPIREAT', 0}, {'PERSIST'},
  }) do
    if not redis.acl_check_cmd(command[1], ARGV[3], unpack(command, 2)) then
      return redis.error_reply('NOPERM the user may not run ' .. command[1] .. ' on the keys of threads')
    end
  end
end

local shards = redis.call('HGET', KEYS[1], 'shards')
if not shards and ARGV[4] ~= '1' then return false end
if not shards or shards ~= ARGV[1] and #redis.call('ZRANGEBYLEX', KEYS[2], '-', '+', 'LIMIT', 0, 1) == 0 then
  -- Nothing is on record, or nothing was ever saved under what is.
  redis.call('HSET', KEYS[1], 'format', '1', 'shards', ARGV[1])
  shards = ARGV[1]
end
if shards == ARGV[1] and ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
end
return shards
