-- Reads a page of versions of a thread with their payloads.
--
-- KEYS  list, past
-- ARGV  1 from, 2 to  bounds, both included; 0 for an open one
--       3 newest      "1": the page is the highest of them, else the lowest
--       4 limit       how many at most
--       5 bytes       of payloads at most, or two versions
--       6 anchor      the latest version of an earlier page; 0 on the first one
--
-- Returns the info of the latest version; that of the anchor or "" if it is not
-- kept; the highest version of the page and "1" if there is more to read after
-- it, and then payload and info of each version of the page, newest first;
-- nothing if there is no thread.
local line, latest, kept = head(KEYS[1])
if not line then return {} end
if not latest then return {line, '', '0', '0'} end
local v = latest.number
local from, to, limit, bytes, anchor = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
from = math.max(from, v - kept + 1)
if to == 0 or to > v then to = v end

local function infos(highest, lowest)
  if highest < v then return earlier(KEYS[1], KEYS[2], v, highest, lowest) end
  local all = earlier(KEYS[1], KEYS[2], v, v - 1, lowest)
  table.insert(all, 1, line)
  return all
end

local reply = {line, '', '0', '0'}
if anchor > v - kept and anchor <= v then reply[2] = infos(anchor, anchor)[1] end
if from > to then return reply end

-- How many fit, by the sizes that their infos tell. Sums stay at or below the highest
-- version, above which not every number is exact.
local highest, lowest = to, math.max(from, to - (limit - 1))
if ARGV[3] ~= '1' then highest, lowest = math.min(to, from + (limit - 1)), from end
local page = infos(highest, lowest)
local count, sum = 0, 0
for i = 1, #page do
  local info = read(ARGV[3] == '1' and page[i] or page[#page + 1 - i])
  sum = sum + (info and tonumber(string.match(info.rest, '^%S+ (%d+) ')) or 0)
  if count >= 2 and sum > bytes then break end
  count = count + 1
end
if ARGV[3] == '1' then lowest = highest - (count - 1) else highest = lowest + (count - 1) end

reply[3] = text(highest)
reply[4] = (ARGV[3] == '1' and lowest > from or ARGV[3] ~= '1' and highest < to) and '1' or '0'
for _, part in ipairs(redis.call('LRANGE', KEYS[1], text(2 * (v - highest)), text(2 * (v - lowest) + 1))) do
  reply[#reply + 1] = part
end
return reply
