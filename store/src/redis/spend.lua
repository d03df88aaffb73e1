-- Adds what callers (KEYS) spent to what all edges were told of them, and answers for each how far that is ahead: the generic cell rate algorithm, whose
-- requests come in sums. ARGV has three numbers a caller, in microseconds: what it spent, since when, the furthest that it may be ahead.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ahead = {}
for i, key in ipairs(KEYS) do
  local spent, age, most = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local known = tonumber((redis.pcall('GETRANGE', key, 0, 31))) or 0
  -- What somebody else put there is no number, not even that, or one beyond the bound. So is what we put there before the clock went back.
  if not (known <= now + most) then
    known = 0
  end
  local paid = math.min(math.max(now - age, known) + spent, now + most)
  ahead[i] = math.max(paid - now, 0)
  if ahead[i] > 0 then
    redis.call('SET', key, string.format('%.0f', paid), 'PX', math.ceil(ahead[i] / 1000))
  end
end
return ahead
