-- Exchanges the payload of one version.
--
-- KEYS  list, past
-- ARGV  1 version, 2 id, 3 now, 4 size, 5 encoding, 6 payload
--
-- Returns 1, or 0 when the live thread does not keep that version.
local list, past = KEYS[1], KEYS[2]
local latest = redis.call('LINDEX', list, 1)
local v, ends
if latest then v, ends = string.match(latest, '^1 (%d+) %S+ (%-?%d*) ') end
if not v or ends ~= '-' and (tonumber(ends) or 0) <= tonumber(ARGV[3]) then return 0 end
local at = 2 * (v - ARGV[1])
local info = at >= 0 and redis.call('LINDEX', list, at + 1)
local head, id, metadata
if info then head, id, metadata = string.match(info, '^(1 %d+ %S+ %S+ (%S+) %S+ )%S+ %S+ (.*)$') end
if id ~= ARGV[2] or at > 0 and redis.call('HEXISTS', past, ARGV[1]) == 0 then return 0 end
info = head .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. metadata
redis.call('LSET', list, at, ARGV[6])
redis.call('LSET', list, at + 1, info)
if at > 0 then redis.call('HSET', past, ARGV[1], info) end
return 1
