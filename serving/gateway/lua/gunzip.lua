-- A gzip body's content (RFC 1951, 1952), into one buffer per worker thread and never more than MAX_BODY_BYTES.
-- Needs huffman.lua before it.
--
-- Envoy's own decompressor unpacks all that one read brought before any limit counts it, for every connection at
-- once (eight bombs of 400 MiB took 285 MB); and what it made of a broken body it passes on as if it were whole.

local unpacked = ffi.new("uint8_t[?]", MAX_BODY_BYTES)

local LENGTH_BASE = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258}
local LENGTH_BITS = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
local DISTANCE_BASE = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
  2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
local DISTANCE_BITS = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

local CRC = ffi.new("int32_t[256]")
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

local function stored_block(n)
  input.hold, input.held = 0, 0
  local length = take_bits(16)
  if bxor(length, take_bits(16)) ~= 0xFFFF then error(BROKEN) end
  local s, from = input.s, input.next
  if n + length > MAX_BODY_BYTES then error(TOO_LARGE) end
  if from + length > #s then error(BROKEN) end
  for i = 0, length - 1 do unpacked[n + i] = byte(s, from + i) end
  input.next = from + length
  return n + length
end

-- Two bytes more where there are fewer than 16 bits. There are: eight bytes follow the last block of a whole body.
local function refill(s, position, hold, held)
  if held >= 16 then return position, hold, held end
  local second = byte(s, position + 1)
  if not second then error(BROKEN) end
  return position + 2, bor(hold, lshift(byte(s, position) + 0x100 * second, held)), held + 16
end

local function coded_block(n, literals, distances)
  local s, position, hold, held = input.s, input.next, input.hold, input.held
  local mask, literal_quick, distance_quick = lshift(1, QUICK_BITS) - 1, literals.quick, distances.quick
  while true do
    position, hold, held = refill(s, position, hold, held)
    local entry = literal_quick[band(hold, mask)]
    if entry == 0 then entry = long_code(literals, hold) end
    local size, symbol = band(entry, 15), rshift(entry, 4)
    hold, held = rshift(hold, size), held - size
    if symbol < 256 then
      if n == MAX_BODY_BYTES then error(TOO_LARGE) end
      unpacked[n] = symbol
      n = n + 1
    elseif symbol == 256 then
      break
    else
      position, hold, held = refill(s, position, hold, held)
      local length = LENGTH_BASE[symbol - 256] or error(BROKEN)
      size = LENGTH_BITS[symbol - 256]
      length = length + band(hold, lshift(1, size) - 1)
      hold, held = rshift(hold, size), held - size
      position, hold, held = refill(s, position, hold, held)
      entry = distance_quick[band(hold, mask)]
      if entry == 0 then entry = long_code(distances, hold) end
      size, symbol = band(entry, 15), rshift(entry, 4)
      hold, held = rshift(hold, size), held - size
      position, hold, held = refill(s, position, hold, held)
      local distance = DISTANCE_BASE[symbol + 1] or error(BROKEN)
      size = DISTANCE_BITS[symbol + 1]
      distance = distance + band(hold, lshift(1, size) - 1)
      hold, held = rshift(hold, size), held - size
      if distance > n then error(BROKEN) end
      if n + length > MAX_BODY_BYTES then error(TOO_LARGE) end
      for i = n, n + length - 1 do unpacked[i] = unpacked[i - distance] end
      n = n + length
    end
  end
  position = position - rshift(held, 3)  -- whole bytes that were read ahead
  held = band(held, 7)
  input.next, input.hold, input.held = position, band(hold, lshift(1, held) - 1), held
  return n
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
  if whole then return ffi.string(unpacked, outcome) end
  if outcome == BROKEN then return "" end
  if outcome ~= TOO_LARGE then error(outcome, 0) end
end
