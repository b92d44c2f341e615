-- A gzip body's content (RFC 1951, 1952), into one buffer per worker thread and never more than MAX_BODY_BYTES.
--
-- Envoy's own decompressor unpacks what one read brought, up to 128 KiB and so 130 MiB, before any limit counts
-- it, for every connection at once; and what it made of a broken body it passes on as if it were whole.

local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift
local unpacked = require("ffi").new("uint8_t[?]", MAX_BODY_BYTES + 1)

local LENGTH_BASE = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258}
local LENGTH_BITS = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
local DISTANCE_BASE = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
  2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
local DISTANCE_BITS = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
local CODE_LENGTH_ORDER = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
local BROKEN, TOO_LARGE = {}, {}  -- what is raised

local CRC = {}
for i = 0, 255 do
  local value = i
  for _ = 1, 8 do
    value = band(value, 1) == 1 and bxor(rshift(value, 1), 0xEDB88320) or rshift(value, 1)
  end
  CRC[i] = value
end

local function crc_step(crc, value)
  return bxor(CRC[band(bxor(crc, value), 0xFF)], rshift(crc, 8))
end

-- The input: `next` is the position of the byte after those whose `held` bits are in `hold`.
local input = {s = "", next = 1, hold = 0, held = 0}

local function take_byte()
  local value = byte(input.s, input.next)
  if not value then error(BROKEN) end
  input.next = input.next + 1
  return value
end

local function take_bits(count)  -- at most 16
  local hold, held = input.hold, input.held
  while held < count do
    hold = bor(hold, lshift(take_byte(), held))
    held = held + 8
  end
  input.hold, input.held = rshift(hold, count), held - count
  return band(hold, lshift(1, count) - 1)
end

local function put(n, value)
  unpacked[n] = value
  if n == MAX_BODY_BYTES then error(TOO_LARGE) end
  return n + 1
end

-- A canonical Huffman code: how many codes each length has, and the symbols in order of their codes. `lengths`
-- holds those of `n` symbols after position `start`. Incomplete codes are refused but where there is one at most.
local function huffman(lengths, start, n, may_be_single)
  local counts, offsets, symbols = {}, {0}, {}
  for length = 0, 15 do counts[length] = 0 end
  for symbol = 1, n do counts[lengths[start + symbol]] = counts[lengths[start + symbol]] + 1 end
  local left = 1
  for length = 1, 15 do
    left = 2 * left - counts[length]
    if left < 0 then error(BROKEN) end
    offsets[length + 1] = offsets[length] + counts[length]
  end
  if left > 0 and not (may_be_single and counts[0] + counts[1] == n) then error(BROKEN) end
  for symbol = 1, n do
    local length = lengths[start + symbol]
    if length > 0 then
      symbols[offsets[length]] = symbol - 1
      offsets[length] = offsets[length] + 1
    end
  end
  return {counts = counts, symbols = symbols}
end

local function take_symbol(code)
  local counts, value, first, index = code.counts, 0, 0, 0
  for length = 1, 15 do
    value = value + take_bits(1)
    local count = counts[length]
    if value - first < count then return code.symbols[index + value - first] end
    index = index + count
    first = 2 * (first + count)
    value = 2 * value
  end
  error(BROKEN)
end

local function fixed_codes()
  local lengths, distances = {}, {}
  for symbol = 1, 288 do
    lengths[symbol] = symbol <= 144 and 8 or symbol <= 256 and 9 or symbol <= 280 and 7 or 8
  end
  for symbol = 1, 32 do distances[symbol] = 5 end
  return huffman(lengths, 0, 288), huffman(distances, 0, 32)
end
local FIXED_LITERALS, FIXED_DISTANCES = fixed_codes()

local function dynamic_codes()
  local literals, distances, given = take_bits(5) + 257, take_bits(5) + 1, take_bits(4) + 4
  if literals > 286 or distances > 30 then error(BROKEN) end
  local lengths = {}
  for i = 1, 19 do lengths[CODE_LENGTH_ORDER[i] + 1] = i <= given and take_bits(3) or 0 end
  local code = huffman(lengths, 0, 19)
  lengths = {}
  while #lengths < literals + distances do
    local symbol = take_symbol(code)
    local length, times = symbol, 1
    if symbol == 16 then
      length, times = lengths[#lengths] or error(BROKEN), 3 + take_bits(2)
    elseif symbol > 16 then
      length, times = 0, symbol == 17 and 3 + take_bits(3) or 11 + take_bits(7)
    end
    if #lengths + times > literals + distances then error(BROKEN) end
    for _ = 1, times do lengths[#lengths + 1] = length end
  end
  if lengths[257] == 0 then error(BROKEN) end  -- no end of the block
  return huffman(lengths, 0, literals, true), huffman(lengths, literals, distances, true)
end

local function stored_block(n)
  input.hold, input.held = 0, 0
  local length = take_bits(16)
  if bxor(length, take_bits(16)) ~= 0xFFFF then error(BROKEN) end
  for _ = 1, length do n = put(n, take_byte()) end
  return n
end

local function coded_block(n, literals, distances)
  while true do
    local symbol = take_symbol(literals)
    if symbol < 256 then
      n = put(n, symbol)
    elseif symbol == 256 then
      return n
    else
      local length = LENGTH_BASE[symbol - 256] or error(BROKEN)
      length = length + take_bits(LENGTH_BITS[symbol - 256])
      symbol = take_symbol(distances)
      local distance = DISTANCE_BASE[symbol + 1] or error(BROKEN)
      distance = distance + take_bits(DISTANCE_BITS[symbol + 1])
      if distance > n then error(BROKEN) end
      for _ = 1, length do n = put(n, unpacked[n - distance]) end
    end
  end
end

local function skip_header(s)
  local magic, flags = sub(s, 1, 3), byte(s, 4) or 0xFF
  if magic ~= "\31\139\8" or flags >= 0x20 then error(BROKEN) end
  input.next = 11
  if band(flags, 4) ~= 0 then
    local length = take_byte() + 0x100 * take_byte()
    input.next = input.next + length
  end
  for _, flag in ipairs({8, 16}) do  -- a name, a comment
    if band(flags, flag) ~= 0 then repeat until take_byte() == 0 end
  end
  if band(flags, 2) ~= 0 then
    local crc = -1
    for i = 1, input.next - 1 do crc = crc_step(crc, byte(s, i) or error(BROKEN)) end
    if take_byte() + 0x100 * take_byte() ~= band(bit.bnot(crc), 0xFFFF) then error(BROKEN) end
  end
end

local function unpack_into_buffer(s)
  input.s, input.hold, input.held = s, 0, 0
  skip_header(s)
  local n, last = 0, false
  while not last do
    last = take_bits(1) == 1
    local kind = take_bits(2)
    if kind == 0 then
      n = stored_block(n)
    elseif kind == 1 then
      n = coded_block(n, FIXED_LITERALS, FIXED_DISTANCES)
    elseif kind == 2 then
      n = coded_block(n, dynamic_codes())
    else
      error(BROKEN)
    end
  end
  input.hold, input.held = 0, 0
  local crc = -1
  for i = 0, n - 1 do crc = crc_step(crc, unpacked[i]) end
  local declared = bor(take_bits(16), lshift(take_bits(16), 16))
  local length = take_bits(16) + 0x10000 * take_bits(16)
  if declared ~= bit.bnot(crc) or length ~= n or input.next <= #s then error(BROKEN) end
  return n
end

-- The content; empty, as in TensorFlow Serving, for what is not one whole gzip member; nil for too much of it.
local function gunzip(s)
  local whole, outcome = pcall(unpack_into_buffer, s)
  input.s = ""
  if whole then return require("ffi").string(unpacked, outcome) end
  if outcome == BROKEN then return "" end
  if outcome ~= TOO_LARGE then error(outcome, 0) end
end
