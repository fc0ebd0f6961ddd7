-- Finds the kept version that was saved with an id.
--
-- KEYS  list, past
-- ARGV  1 id, escaped
--
-- Returns the info of the latest version, and that of the version if it is kept;
-- nothing if there is no thread.
local line, latest, kept = head(KEYS[1])
if not line then return {} end
if not latest then return {line} end
local found = byID(KEYS[1], KEYS[2], latest, kept, ARGV[1])
return {line, found and found.line}
