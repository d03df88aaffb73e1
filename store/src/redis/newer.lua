-- Keeps ARGV[1] under KEYS[1] for ARGV[2] seconds, unless a value of the same schema and a newer version is there (value.rs has the form).
-- Whoever was the owner of something and does not know that it no longer is comes late with what is old.
local held = redis.pcall('GETRANGE', KEYS[1], 0, 9)
if type(held) == 'string' and #held == 10 and string.sub(held, 1, 2) == string.sub(ARGV[1], 1, 2) then
  -- Lua's numbers are exact up to 2^53 versions of one key.
  if struct.unpack('>I8', held, 3) > struct.unpack('>I8', ARGV[1], 3) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
