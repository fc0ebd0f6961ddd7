-- Writes one checkpoint of a thread, on condition, in one step.
--
-- KEYS  list, past, index, expiry, gate: see layout.go.
-- ARGV  1 name      the thread
--       2 id        of this checkpoint, escaped
--       3 now       of the request, microseconds
--       4 keep      newest versions to keep
--       5 match     the condition, see holds
--       6 version   "" for a save, the version to import otherwise
--       7 created   of the checkpoint if it starts a life or is imported
--       8 expires   microseconds, or "-" for never
--       9 lifetime  expires - now in milliseconds
--      10 rest      of the info: saved, size, encoding, metadata
--      11 payload   or nothing, if the transaction that runs this script goes
--                   on to push it (Lua hashes every byte of its strings, so a
--                   large payload had better not become one): the list then
--                   waits for it under the name of the gate
--
-- Returns one character and the info it is about: "+" written, "=" the id was
-- written before, "!" the condition does not hold (no info: absent), "x" what
-- is stored cannot be read, "m" the highest version is reached, "b" the patch was
-- not made against the latest version.
--
-- The list has the versions that are kept, and below them those that the oldest
-- kept one needs. They are in no other key.
local list, past, index, expiry, gate = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local name, id, now, keep, match = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local version, created, expires = ARGV[6], ARGV[7], ARGV[8]
local digest, base, previous, proof = nil, 0, nil, nil
if ARGV[11] ~= '' then
  digest, base, previous, proof = string.match(ARGV[11], '^(%S+) ?(%d*) ?(%S*) ?(%S*)$')
  base = tonumber(base) or 0
end

local line, old, kept, held = head(list)
if not old and (line or redis.call('EXISTS', list) == 1) then return 'x' end
local alive = live(old, now)
if alive then
  local found = byID(list, past, old, kept, id)
  if found and (version == '' or found.version == version) then return '=' .. found.line end
  if version ~= '' and old.number >= tonumber(version) then return '!' .. line end
else
  kept = 0
end
if not holds(match, alive and old) then return '!' .. (alive and line or '') end
-- A repeated save may have begun another life with the same id and bytes: there the
-- version of the whole state is another one.
if base > 0 and not (alive and old.id == previous and old.digest == proof
    and base == (old.base > 0 and old.base or old.number)) then return 'b' end

if version == '' then
  version = alive and old.number + 1 or 1
  created = alive and old.created or created
  if alive and old.number >= 9007199254740992 then return 'm' end
else
  version = tonumber(version)
  if alive and old.number + 1 < version then kept = 0 end
end

-- The server removes a thread by itself: five minutes (for readers whose clocks
-- are late) after it has expired both by the clock of the writer and by the
-- server's own. The expiry index has the later of the two.
local grace = 300000
local time, over
if expires ~= '-' then
  time = redis.call('TIME')
  time = time[1] * 1000 + math.floor(time[2] / 1000)
  over = math.max(time, time + tonumber(ARGV[9]), math.floor(expires / 1000))
end

-- The versions before this one that stay: the lowest visible one never gets lower,
-- so that a larger keep shows nothing anew, and what it needs stays with it.
local lowest = math.max(version - kept, version - keep + 1)
local stays = version - lowest
if kept == 0 then
  stays = 0
elseif stays == 0 then
  stays = base > 0 and version - base or 0
elseif old.lowest then
  local oldest = lowest == old.number and old or read(earlier(list, past, old.number, lowest, lowest)[1])
  stays = not oldest and held or oldest.base > 0 and version - oldest.base or stays
end

-- Redis does not roll back. What can fail here is a foreign key in the place of
-- one of ours, or a full server; the changes up to ZREM find out, and mean
-- nothing without what follows: an old info has a second place, a name has no
-- thread and is not listed.
local goes_on = stays > 0
if goes_on and keep > 1 then redis.call('HSET', past, old.version, line, 'id:' .. old.id, old.version) end
-- The save that began a life has listed it. It is listed again now and then, so that
-- an index that was lost, evicted for example, fills again.
if not alive or old.number % 16 == 0 then redis.call('ZADD', index, 0, name) end
if over then
  redis.call('ZADD', expiry, text(over), name)
elseif not alive or old.expires ~= '-' then
  redis.call('ZREM', expiry, name)
end

if goes_on then
  if held > stays then redis.call('LTRIM', list, 0, 2 * stays - 1) end
  if keep == 1 then
    if kept > 1 then redis.call('UNLINK', past) end
  else
    for n = version - kept, lowest - 1 do
      local gone = read(redis.call('HGET', past, text(n)))
      redis.call('HDEL', past, text(n), gone and 'id:' .. gone.id or '')
    end
  end
  if old.expires ~= '-' and not over then
    redis.call('PERSIST', list)
    redis.call('PERSIST', past)
  end
else
  -- A new life, a gap, or no history: nothing older stays.
  if old then redis.call('UNLINK', list) end
  if kept ~= 1 then redis.call('UNLINK', past) end
end

local info = write(text(version), created, expires, id, ARGV[10],
  (digest or goes_on and old.lowest) and lowest, base, digest or '%')
if ARGV[12] then
  redis.call('LPUSH', list, info, ARGV[12])
else
  redis.call('LPUSH', list, info)
end

if over then
  redis.call('PEXPIREAT', list, text(over + grace))
  redis.call('PEXPIREAT', past, text(over + grace + 1000))
  -- Names of threads that the server has removed leave the indexes, a few with
  -- each save.
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', text(time - grace - 1000), 'LIMIT', 0, 4)) do
    redis.call('ZREM', index, gone)
    redis.call('ZREM', expiry, gone)
  end
end
if not ARGV[12] then redis.call('RENAME', list, gate) end
return '+' .. info
