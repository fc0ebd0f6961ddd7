-- Reads one version of a thread.
--
-- KEYS  list
-- ARGV  1 version
--
-- Returns the info of the latest version, and the payload and the info of the
-- one asked for if it is kept; nothing if there is no thread.
local latest = redis.call('LINDEX', KEYS[1], 1)
if not latest then return {} end
local v = tonumber(string.match(latest, '^1 (%d+) '))
local at = v and 2 * (v - ARGV[1]) or -1
if at < 0 then return {latest} end
local pair = redis.call('LRANGE', KEYS[1], at, at + 1)
return {latest, pair[1], pair[2]}
