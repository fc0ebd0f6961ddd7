-- Writes one checkpoint of a thread, on condition, in one step.
--
-- KEYS  list, past, index, expiry: see keys.go.
-- ARGV  1 pushed    1: the payload is already at the head of the list, pushed
--                   by the transaction that calls this script (bytes that
--                   never enter Lua cost nothing here); 0: it is ARGV[12]
--       2 name      the thread
--       3 id        of this checkpoint, escaped
--       4 now       of the request, microseconds
--       5 keep      newest versions to keep
--       6 match     "" none, "-" the thread is absent, "=ID" its latest id
--       7 version   "" for a save, the version to import otherwise
--       8 created   of the checkpoint if it starts a life or is imported
--       9 expires   microseconds, or "-" for never
--      10 lifetime  expires - now in milliseconds
--      11 rest      of the info: saved, size, encoding, metadata
--      12 payload
--
-- Returns one character and the info it is about: "+" written, "=" the id was
-- written before, "!" the condition does not hold (no info: absent), "x" what
-- is stored cannot be read, "m" the highest version is reached.
local list, past, index, expiry = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local pushed, name, id = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local now, keep, match = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local version, created, expires = ARGV[7], ARGV[8], ARGV[9]

-- Redis does not roll back. So whatever can fail (a foreign key in the place of
-- one of ours, a full server) fails before the first change that lasts, and
-- what the transaction pushed is taken away again.
local function undo(answer)
  if pushed == 1 then redis.call('LTRIM', list, 1, -1) end
  return answer
end
local function call(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    undo()
    error(reply)
  end
  return reply
end
local function number(n) return string.format('%.0f', n) end

local old = redis.call('LINDEX', list, pushed)
local v, born, ends, last, live
local kept = 0
if old then
  v, born, ends, last = string.match(old, '^1 (%d+) (%-?%d+) (%-?%d*) (%S+) ')
  v = tonumber(v)
  if not v then return undo('x') end
  live = ends == '-' or (tonumber(ends) or 0) > now
end
if live then
  kept = math.floor((redis.call('LLEN', list) - pushed) / 2)
  if kept == 0 then return undo('x') end
  local found = last == id and old
  if not found and kept > 1 then
    local at = call('HGET', past, 'id:' .. id)
    found = at and call('HGET', past, at)
  end
  if found and (version == '' or string.match(found, '^1 (%d+) ') == version) then return undo('=' .. found) end
  if version ~= '' and v >= tonumber(version) then return undo('!' .. old) end
end
if match == '-' and live or match ~= '' and match ~= '-' and not (live and match == '=' .. last) then
  return undo('!' .. (live and old or ''))
end

if version == '' then
  version = live and v + 1 or 1
  created = live and born or created
  if version > 9007199254740992 or live and v == 9007199254740992 then return undo('m') end
else
  version = tonumber(version)
  if live and v + 1 < version then kept = 0 end
end

call('ZADD', index, 0, name)
if expires ~= '-' then
  call('ZADD', expiry, math.floor(expires / 1000), name)
elseif not live or ends ~= '-' then
  call('ZREM', expiry, name)
end
if kept == 0 then
  -- A new life, or a gap: nothing older stays.
  if old and pushed == 1 then
    redis.call('LTRIM', list, 0, 0)
  elseif old then
    redis.call('UNLINK', list)
  end
  redis.call('UNLINK', past)
elseif keep > 1 then
  call('HSET', past, number(v), old, 'id:' .. last, number(v))
end

local info = string.format('1 %s %s %s %s %s', number(version), created, expires, id, ARGV[11])
if pushed == 1 then
  redis.call('LPUSH', list, info)
else
  redis.call('LPUSH', list, ARGV[12], info)
end

if kept >= keep then
  redis.call('LTRIM', list, 0, 2 * keep - 1)
  if keep > 1 then
    for n = version - kept, version - keep do
      local gone = redis.call('HGET', past, number(n))
      local its = gone and string.match(gone, '^1 %d+ %S+ %S+ (%S+) ')
      redis.call('HDEL', past, number(n), its and 'id:' .. its or '')
    end
  elseif kept > 1 then
    redis.call('UNLINK', past)
  end
end

if expires ~= '-' then
  -- The server removes the thread when it has expired by the clock of the
  -- writer and by its own, and five minutes have passed for readers whose
  -- clocks are late. A writer's clock that is late is made up for by an hour at
  -- most: so 65 minutes after expires the thread is surely gone, and its name,
  -- if nobody has removed it, can leave the index without a look at the list.
  local grace, late = 300000, 3600000
  local time = redis.call('TIME')
  time = time[1] * 1000 + math.floor(time[2] / 1000)
  local over = math.floor(expires / 1000)
  local gone = math.min(math.max(time + tonumber(ARGV[10]), over), over + late) + grace
  redis.call('PEXPIREAT', list, number(gone))
  redis.call('PEXPIREAT', past, number(gone + 1000))
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', number(time - late - grace - 1000), 'LIMIT', 0, 4)) do
    if dead ~= name then
      redis.call('ZREM', index, dead)
      redis.call('ZREM', expiry, dead)
    end
  end
elseif old and ends ~= '-' then
  redis.call('PERSIST', list)
  redis.call('PERSIST', past)
end
return '+' .. info
