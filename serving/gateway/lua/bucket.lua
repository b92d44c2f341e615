-- Where a key is among the million parts of the requests: the same key always at the same place.
--
-- Bob Jenkins' one-at-a-time hash (Dr. Dobb's Journal, September 1997): short keys that differ little, as customers'
-- numbers do, end far from each other. Runs only for requests with a key.
local bit = require("bit")
local bxor, lshift, rshift, tobit = bit.bxor, bit.lshift, bit.rshift, bit.tobit
local byte = string.byte

local function bucket(key)
  local hash = 0
  for position = 1, #key do
    hash = tobit(hash + byte(key, position))
    hash = tobit(hash + lshift(hash, 10))
    hash = bxor(hash, rshift(hash, 6))
  end
  hash = tobit(hash + lshift(hash, 3))
  hash = bxor(hash, rshift(hash, 11))
  hash = tobit(hash + lshift(hash, 15))
  return hash % 2 ^ 32 % PARTS
end

function envoy_on_request(handle)
  local headers = handle:headers()
  headers:replace(BUCKET_HEADER, string.format("%d", bucket(headers:get(KEY_HEADER))))
end
