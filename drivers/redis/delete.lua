-- Removes a thread with everything that belongs to it, on condition.
--
-- KEYS  list, past, index, expiry
-- ARGV  1 name, 2 match (see holds), 3 now, microseconds
--
-- Returns "+", or "!" and the latest info when the condition does not hold.
if ARGV[2] ~= '' then
  local line, latest = head(KEYS[1])
  if line and not latest then return 'x' end
  if not live(latest, ARGV[3]) then return '!' end
  if not holds(ARGV[2], latest) then return '!' .. line end
end
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return '+'
