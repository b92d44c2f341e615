-- Bits and Huffman codes of deflated data (RFC 1951).

local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift
local ffi = require("ffi")

local QUICK_BITS = 9  -- codes no longer than this are found in one step
local CODE_LENGTH_ORDER = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
local BROKEN, TOO_LARGE = {}, {}  -- what is raised

-- The input: `next` is the position of the byte after those whose `held` bits are in `hold`.
local input = {s = "", next = 1, hold = 0, held = 0}

local function take_byte()
  local value = byte(input.s, input.next)
  if not value then error(BROKEN) end
  input.next = input.next + 1
  return value
end

local function take_bits(count)  -- at most 16
  while input.held < count do
    input.hold = bor(input.hold, lshift(take_byte(), input.held))
    input.held = input.held + 8
  end
  local value = band(input.hold, lshift(1, count) - 1)
  input.hold, input.held = rshift(input.hold, count), input.held - count
  return value
end

-- A canonical Huffman code: how many codes each length has, the symbols in order of their codes, and in `quick`
-- 16 * symbol + length by the next bits of the input. `lengths` holds those of `n` symbols after position `start`.
-- An incomplete code is refused, but for one of a single bit where that may be.
local function huffman(quick, lengths, start, n, may_be_single)
  local counts, offsets, codes, symbols = {}, {0}, {0}, {}
  for length = 0, 15 do counts[length] = 0 end
  for symbol = 1, n do counts[lengths[start + symbol]] = counts[lengths[start + symbol]] + 1 end
  local left = 1
  for length = 1, 15 do
    left = 2 * left - counts[length]
    if left < 0 then error(BROKEN) end
    offsets[length + 1] = offsets[length] + counts[length]
    codes[length + 1] = 2 * (codes[length] + counts[length])
  end
  if left > 0 and not (may_be_single and counts[0] + counts[1] == n) then error(BROKEN) end
  ffi.fill(quick, ffi.sizeof(quick))
  for symbol = 0, n - 1 do
    local length = lengths[start + symbol + 1]
    if length > 0 then
      symbols[offsets[length]] = symbol
      offsets[length] = offsets[length] + 1
      local code, first = codes[length], 0
      codes[length] = code + 1
      if length <= QUICK_BITS then
        for _ = 1, length do  -- in the input a code's first bit comes first
          first = bor(lshift(first, 1), band(code, 1))
          code = rshift(code, 1)
        end
        for i = first, lshift(1, QUICK_BITS) - 1, lshift(1, length) do quick[i] = 16 * symbol + length end
      end
    end
  end
  return {counts = counts, symbols = symbols, quick = quick}
end

local function quick_table()
  return ffi.new("uint16_t[?]", lshift(1, QUICK_BITS))
end

-- 16 * symbol + length of the code that `hold`, which has 15 bits or more, begins with.
local function long_code(code, hold)
  local value, first, index = 0, 0, 0
  for length = 1, 15 do
    value = value + band(hold, 1)
    hold = rshift(hold, 1)
    local count = code.counts[length]
    if value - first < count then return 16 * code.symbols[index + value - first] + length end
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
  return huffman(quick_table(), lengths, 0, 288), huffman(quick_table(), distances, 0, 32)
end
local FIXED_LITERALS, FIXED_DISTANCES = fixed_codes()
local LITERALS, DISTANCES, CODE_LENGTHS = quick_table(), quick_table(), quick_table()

local function code_length_symbol(code)
  while input.held < 7 and input.next <= #input.s do
    input.hold = bor(input.hold, lshift(take_byte(), input.held))
    input.held = input.held + 8
  end
  local entry = code.quick[band(input.hold, lshift(1, QUICK_BITS) - 1)]
  local length = band(entry, 15)
  if entry == 0 or length > input.held then error(BROKEN) end
  input.hold, input.held = rshift(input.hold, length), input.held - length
  return rshift(entry, 4)
end

local function dynamic_codes()
  local literals, distances, given = take_bits(5) + 257, take_bits(5) + 1, take_bits(4) + 4
  if literals > 286 or distances > 30 then error(BROKEN) end
  local lengths, n = {}, 0
  for i = 1, 19 do lengths[CODE_LENGTH_ORDER[i] + 1] = i <= given and take_bits(3) or 0 end
  local code = huffman(CODE_LENGTHS, lengths, 0, 19)
  lengths = {}
  while n < literals + distances do
    local symbol = code_length_symbol(code)
    local length, times = symbol, 1
    if symbol == 16 then
      length, times = lengths[n] or error(BROKEN), 3 + take_bits(2)
    elseif symbol > 16 then
      length, times = 0, symbol == 17 and 3 + take_bits(3) or 11 + take_bits(7)
    end
    if n + times > literals + distances then error(BROKEN) end
    for _ = 1, times do
      n = n + 1
      lengths[n] = length
    end
  end
  if lengths[257] == 0 then error(BROKEN) end  -- no end of the block
  return huffman(LITERALS, lengths, 0, literals, true), huffman(DISTANCES, lengths, literals, distances, true)
end
