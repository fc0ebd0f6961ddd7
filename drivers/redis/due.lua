-- Reads names of threads that may have expired.
--
-- KEYS  expiry
-- ARGV  1 now, milliseconds; 2 how many to pass over; 3 how many at most
--
-- The index has the later of the times when a thread expires by the clocks of
-- its writer and of the server, which differ a little, so that what is asked
-- for may stand there as due in a minute, or when the server's clock says so.
local time = redis.call('TIME')
local due = math.max(tonumber(ARGV[1]), time[1] * 1000) + 60000
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', due), 'LIMIT', ARGV[2], ARGV[3])
