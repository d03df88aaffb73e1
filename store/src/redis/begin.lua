-- Counts a try under each of KEYS, unless one of them has to wait. ARGV: the first wait and the window in milliseconds, then for each key after how many
-- failures it waits. Answers which key has to wait (0 for none) and for how many milliseconds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[2])
local failures = {}
for i, key in ipairs(KEYS) do
  -- What somebody else put there is no count.
  local held = redis.pcall('GETRANGE', key, 0, 40)
  local count, till = string.match(type(held) == 'string' and held or '', '^(%d+) (%d+)$')
  count, till = tonumber(count or 0), tonumber(till or 0)
  if till > now + window then
    count, till = 0, 0
  end
  if till > now then
    return {i, till - now}
  end
  failures[i] = count + 1
end
for i, key in ipairs(KEYS) do
  local till, beyond = 0, failures[i] - ARGV[2 + i]
  if beyond >= 0 then
    till = now + math.min(window, ARGV[1] * 2 ^ beyond)
  end
  redis.call('SET', key, string.format('%.0f %.0f', failures[i], till), 'PX', window)
end
return {0, 0}
