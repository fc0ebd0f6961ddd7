-- Exchanges the payload of one version.
--
-- KEYS  list, past
-- ARGV  1 version, 2 id, 3 now, 4 size, 5 encoding, 6 payload
--
-- Returns 1, or 0 when the live thread does not keep that version.
local list, past = KEYS[1], KEYS[2]
local _, latest = head(list)
if not live(latest, ARGV[3]) then return 0 end
local at = 2 * (latest.number - ARGV[1])
local info = at >= 0 and read(redis.call('LINDEX', list, at + 1))
if not info or info.id ~= ARGV[2] then return 0 end
local saved, metadata = string.match(info.rest, '^(%S+) %S+ %S+ (.*)$')
if not saved then return 0 end
local line = table.concat({'1', info.version, info.created, info.expires, info.id, saved, ARGV[4], ARGV[5], metadata}, ' ')
redis.call('LSET', list, at, ARGV[6])
redis.call('LSET', list, at + 1, line)
if at > 0 then redis.call('HSET', past, ARGV[1], line) end
return 1
