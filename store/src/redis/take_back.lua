-- Takes a try back that was counted under each of KEYS. ARGV: for each key after how many failures it waits.
for i, key in ipairs(KEYS) do
  local held = redis.pcall('GETRANGE', key, 0, 40)
  local count, till = string.match(type(held) == 'string' and held or '', '^(%d+) (%d+)$')
  if count and tonumber(count) > 0 then
    count = count - 1
    if count < tonumber(ARGV[i]) then
      till = 0
    end
    redis.call('SET', key, string.format('%.0f %.0f', count, till), 'KEEPTTL')
  end
end
