-- Exchanges the payload of one version, which may be an invisible one.
--
-- KEYS  list, past
-- ARGV  1 version, 2 id, 3 now, 4 size, 5 encoding, 6 digest, 7 created or "", 8 payload
--
-- Returns 1, or 0 when the live thread does not hold that version.
local list, past = KEYS[1], KEYS[2]
local _, latest, kept = head(list)
if not live(latest, ARGV[3]) or ARGV[7] ~= '' and ARGV[7] ~= latest.created then return 0 end
local at = latest.number - ARGV[1]
local info = at >= 0 and read(redis.call('LINDEX', list, 2 * at + 1))
if not info or info.id ~= ARGV[2] then return 0 end
local saved, metadata = string.match(info.rest, '^(%S+) %S+ %S+ (.*)$')
if not saved then return 0 end
local rest = table.concat({saved, ARGV[4], ARGV[5], metadata}, ' ')
local lowest = info.lowest or ARGV[6] ~= '%' and latest.number - kept + 1
local line = write(info.version, info.created, info.expires, info.id, rest, lowest, info.base, ARGV[6])
redis.call('LSET', list, 2 * at, ARGV[8])
redis.call('LSET', list, 2 * at + 1, line)
if at > 0 and at < kept then redis.call('HSET', past, ARGV[1], line) end
return 1
