-- Reads one version of a thread, and the versions that it needs.
--
-- KEYS  list
-- ARGV  1 version, 0 for the latest; 2 how many versions it may need; 3 id and 4
--       digest, escaped, of one that the caller has, or "" for none; 5 how many
--       bytes a whole state has at most that comes by the script
--
-- Returns the info of the latest version, and if the one asked for is kept its
-- payload and info, and those of the versions before it down to its base;
-- nothing if there is no thread. Where it is the latest one, and the caller has it, the
-- info comes twice and nothing else. Where the whole state is larger than it may be,
-- the number of versions that are needed comes after the info, and nothing else.
local line, latest, kept = head(KEYS[1])
if not line then return {} end
local at = ARGV[1] == '0' and 0 or latest and latest.number - ARGV[1] or -1
if not latest or at < 0 or at >= kept then return {line} end
if at == 0 and ARGV[3] ~= '' and latest.id == ARGV[3] and latest.digest == ARGV[4] then return {line, line} end
local info = at == 0 and latest or read(redis.call('LINDEX', KEYS[1], 2 * at + 1))
local needed = info and info.base > 0 and info.base < info.number and math.min(info.number - info.base, tonumber(ARGV[2])) or 0
local whole = needed == 0 and info or read(redis.call('LINDEX', KEYS[1], 2 * (at + needed) + 1))
if (whole and tonumber(string.match(whole.rest, '^%S+ (%d+) ')) or 0) > tonumber(ARGV[5]) then return {line, text(needed + 1)} end
local reply = redis.call('LRANGE', KEYS[1], 2 * at, 2 * (at + needed) + 1)
table.insert(reply, 1, line)
return reply
