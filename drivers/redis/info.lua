-- Stands before every script: how scripts read and write the info line (see info.go).

local function text(n) return string.format('%.0f', n) end

-- read returns the head of an info line, and nil for a line that is none.
-- version stays text: Lua would print a large number in another form. lowest is
-- nil in a line of the first format.
local function read(line)
  if not line then return nil end
  local version, created, expires, id, rest = string.match(line, '^1 (%d+) (%-?%d+) (%-?%d*) (%S+) (.*)$')
  if version then
    return {line = line, version = version, number = tonumber(version), created = created,
      expires = expires, id = id, base = 0, digest = '%', rest = rest}
  end
  local lowest, base, digest
  version, created, expires, id, lowest, base, digest, rest =
    string.match(line, '^2 (%d+) (%-?%d+) (%-?%d*) (%S+) (%d+) (%d+) (%S+) (.*)$')
  return version and {line = line, version = version, number = tonumber(version), created = created,
    expires = expires, id = id, lowest = tonumber(lowest), base = tonumber(base), digest = digest, rest = rest}
end

-- write returns an info line, of the second format if it has a lowest version. It
-- takes the words, so that a save makes no table of them.
local function write(version, created, expires, id, rest, lowest, base, digest)
  if not lowest then
    return '1 ' .. version .. ' ' .. created .. ' ' .. expires .. ' ' .. id .. ' ' .. rest
  end
  return '2 ' .. version .. ' ' .. created .. ' ' .. expires .. ' ' .. id .. ' '
    .. text(lowest) .. ' ' .. text(base) .. ' ' .. digest .. ' ' .. rest
end

-- live reports whether a thread with this latest info is there at a time, in
-- microseconds.
local function live(info, now)
  return info and (info.expires == '-' or (tonumber(info.expires) or 0) > tonumber(now)) or false
end

-- holds decides a condition for the latest info of a thread, nil or false for
-- none: '' no condition, '-' absent, '+' exists, '=ID', '#VERSION'.
local function holds(match, info)
  if match == '' then return true end
  if match == '-' then return not info end
  return info and (match == '+' or match == '=' .. info.id or match == '#' .. info.version) or false
end

-- head reads the latest info of a thread, how many versions it keeps, and how many
-- there are with those that are invisible and that the oldest kept one needs.
local function head(list)
  local line = redis.call('LINDEX', list, 1)
  local latest, held = read(line), math.floor(redis.call('LLEN', list) / 2)
  local kept = held
  if latest and latest.lowest then kept = math.max(1, math.min(held, latest.number - latest.lowest + 1)) end
  return line, latest, kept, held
end

-- earlier reads the infos of versions from the highest to the lowest one, which
-- are kept, as the hash of past infos has them. What is missing there, for a
-- server has evicted it, the list has too.
local function earlier(list, past, latest, highest, lowest)
  local fields, infos = {}, {}
  for n = highest, lowest, -1 do fields[#fields + 1] = text(n) end
  if #fields == 0 then return infos end
  infos = redis.call('HMGET', past, unpack(fields))
  for i = 1, #fields do
    infos[i] = infos[i] or redis.call('LINDEX', list, 2 * (latest - highest + i - 1) + 1) or ''
  end
  return infos
end

-- byID finds the kept version with an id, escaped; nil or false if there is none.
local function byID(list, past, latest, kept, id)
  if latest.id == id then return latest end
  if kept < 2 then return nil end
  local at, lowest = unpack(redis.call('HMGET', past, 'id:' .. id, text(latest.number - kept + 1)))
  if at then
    local found = read(redis.call('HGET', past, at))
    if found then return found end
  elseif lowest then
    return nil -- the hash has them all
  end
  for i = 1, kept - 1 do -- see earlier
    local found = read(redis.call('LINDEX', list, 2 * i + 1))
    if found and found.id == id then return found end
  end
end
