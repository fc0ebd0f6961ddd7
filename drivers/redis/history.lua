-- Reads infos of a thread, newest first.
--
-- KEYS  list, past
-- ARGV  1 before  only versions lower than this; 0 for all
--       2 limit   how many at most
--
-- Returns the info of the latest version, whatever is asked for, and then the
-- infos asked for; nothing if there is no thread.
local latest = redis.call('LINDEX', KEYS[1], 1)
if not latest then return {} end
local v = tonumber(string.match(latest, '^1 (%d+) '))
if not v then return {latest} end
local before, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local first = v - math.floor(redis.call('LLEN', KEYS[1]) / 2) + 1
local infos = {latest}
if before == 0 or before > v then
  infos[2] = latest
  before = v
end
local fields = {}
for n = before - 1, math.max(first, before - limit + #infos - 1), -1 do
  fields[#fields + 1] = string.format('%.0f', n)
end
if #fields > 0 then
  for _, info in ipairs(redis.call('HMGET', KEYS[2], unpack(fields))) do
    infos[#infos + 1] = info or ''
  end
end
return infos
