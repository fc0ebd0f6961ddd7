-- Reads one version of a thread, and the versions that it needs.
--
-- KEYS  list
-- ARGV  1 version, 0 for the latest; 2 how many versions it may need; 3 id and 4
--       digest, escaped, of one that the caller has, or "" for none
--
-- Returns the info of the latest version, and if the one asked for is kept its
-- payload and info, and those of the versions before it down to its base;
-- nothing if there is no thread. Where it is the latest one, and the caller has it, the
-- info comes twice and nothing else.
local line, latest, kept = head(KEYS[1])
if not line then return {} end
local at = ARGV[1] == '0' and 0 or latest and latest.number - ARGV[1] or -1
if not latest or at < 0 or at >= kept then return {line} end
if at == 0 and ARGV[3] ~= '' and latest.id == ARGV[3] and latest.digest == ARGV[4] then return {line, line} end
local reply = {line}
local function add(from, to)
  for _, part in ipairs(redis.call('LRANGE', KEYS[1], 2 * from, 2 * to + 1)) do reply[#reply + 1] = part end
end
add(at, at)
local info = read(reply[3])
if info and info.base > 0 and info.base < info.number then
  add(at + 1, at + math.min(info.number - info.base, tonumber(ARGV[2])))
end
return reply
