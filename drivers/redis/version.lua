-- Reads one version of a thread.
--
-- KEYS  list
-- ARGV  1 version
--
-- Returns the info of the latest version, and the payload and the info of the
-- one asked for if it is kept; nothing if there is no thread.
local line, latest = head(KEYS[1])
if not line then return {} end
local at = latest and 2 * (latest.number - ARGV[1]) or -1
if at < 0 then return {line} end
local pair = redis.call('LRANGE', KEYS[1], at, at + 1)
return {line, pair[1], pair[2]}
