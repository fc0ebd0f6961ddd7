-- Reads infos of a thread, newest first.
--
-- KEYS  list, past
-- ARGV  1 before  only versions lower than this; 0 for all
--       2 limit   how many at most
--       3 anchor  the latest version of an earlier page; 0 on the first one
--
-- Returns the info of the latest version, whatever is asked for, that of the
-- anchor or "" if it is not kept, and then the infos asked for; nothing if there
-- is no thread.
local line, latest, kept = head(KEYS[1])
if not line then return {} end
if not latest then return {line, ''} end
local v = latest.number
local before, limit, anchor = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local lowest = v - kept + 1
local infos = {line, ''}
if anchor == v then
  infos[2] = line
elseif anchor >= lowest and anchor < v then
  infos[2] = earlier(KEYS[1], KEYS[2], v, anchor, anchor)[1]
end
if before == 0 or before > v then
  infos[3] = line
  before, limit = v, limit - 1
end
for _, info in ipairs(earlier(KEYS[1], KEYS[2], v, before - 1, math.max(lowest, before - limit))) do
  infos[#infos + 1] = info
end
return infos
