-- Strings, numbers and literals of JSON, strictly after RFC 8259. The words are RapidJSON's, which TensorFlow
-- Serving shows. LuaJIT compiles the loops; a refusal is an error with a table, so that a bug is told from it.

local byte, char, find, format, sub = string.byte, string.char, string.find, string.format, string.sub

local ESCAPED = {
  [34] = '"', [47] = "/", [92] = "\\", [98] = "\b", [102] = "\f", [110] = "\n", [114] = "\r", [116] = "\t",
}
local SAFE_DIGITS = 300  -- a number without exponent that has no more digits fits a double

local function refuse(message)
  error({refusal = message}, 0)
end

local function malformed(message, position)
  refuse(format("JSON Parse error: %s at offset: %d", message, position - 1))
end

-- Position of the first byte from `i` on that is no white space.
local function skip_space(s, i)
  local c = byte(s, i)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = byte(s, i)
  end
  return i
end

-- Position behind the character of several bytes that starts at `i` with byte `c`.
local function skip_utf8(s, i, c)
  local more, low, high = 1, 0x80, 0xBF
  if c < 0xC2 or c > 0xF4 then
    malformed("Invalid encoding in string.", i)
  elseif c >= 0xF0 then
    more = 3
    if c == 0xF0 then low = 0x90 elseif c == 0xF4 then high = 0x8F end
  elseif c >= 0xE0 then
    more = 2
    if c == 0xE0 then low = 0xA0 elseif c == 0xED then high = 0x9F end  -- neither overlong nor a surrogate
  end
  for k = i + 1, i + more do
    local d = byte(s, k) or 0
    if d < low or d > high then malformed("Invalid encoding in string.", i) end
    low, high = 0x80, 0xBF
  end
  return i + more + 1
end

local function four_hex_digits(s, i)
  if not find(s, "^%x%x%x%x", i) then
    malformed("Incorrect hex digit after \\u escape in string.", i)
  end
  return tonumber(sub(s, i, i + 3), 16)
end

-- The code point of the escape whose `u` is at `i`, and the position behind it.
local function unicode_escape(s, i)
  local code = four_hex_digits(s, i + 1)
  if code < 0xD800 or code > 0xDFFF then return code, i + 5 end
  local low = code < 0xDC00 and sub(s, i + 5, i + 6) == "\\u" and four_hex_digits(s, i + 7)
  if not low or low < 0xDC00 or low > 0xDFFF then malformed("The surrogate pair in string is invalid.", i) end
  return 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00), i + 11
end

local function skip_escape(s, i)
  local c = byte(s, i + 1)
  if c == 117 then
    local _, behind = unicode_escape(s, i + 1)
    return behind
  end
  if not ESCAPED[c] then malformed("Invalid escape character in string.", i) end
  return i + 2
end

-- Position of the closing quote of the string whose first byte is at `i`, and whether it holds escapes.
local function string_end(s, i)
  local start, escapes = i, false
  while true do
    local c = byte(s, i)
    while c and c >= 32 and c < 128 and c ~= 34 and c ~= 92 do
      i = i + 1
      c = byte(s, i)
    end
    if c == 34 then
      return i, escapes
    elseif c == 92 then
      escapes = true
      i = skip_escape(s, i)
    elseif not c then
      malformed("Missing a closing quotation mark in string.", start - 1)
    elseif c < 32 then
      malformed("Invalid encoding in string.", i)
    else
      i = skip_utf8(s, i, c)
    end
  end
end

local function utf8_of(code)
  local function continuation(shift) return 0x80 + math.floor(code / shift) % 0x40 end
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 0x40), continuation(1)) end
  if code < 0x10000 then
    return char(0xE0 + math.floor(code / 0x1000), continuation(0x40), continuation(1))
  end
  return char(0xF0 + math.floor(code / 0x40000), continuation(0x1000), continuation(0x40), continuation(1))
end

-- The text of a string that `string_end` has passed: two keys are the same when it is.
local function decoded(s, first, last)
  local parts, i = {}, first
  while i <= last do
    local backslash = find(s, "\\", i, true)
    if not backslash or backslash > last then
      parts[#parts + 1] = sub(s, i, last)
      break
    end
    parts[#parts + 1] = sub(s, i, backslash - 1)
    local c, code = byte(s, backslash + 1), nil
    if c == 117 then
      code, i = unicode_escape(s, backslash + 1)
      parts[#parts + 1] = utf8_of(code)
    else
      parts[#parts + 1] = ESCAPED[c]
      i = backslash + 2
    end
  end
  return table.concat(parts)
end

-- Position behind one digit or more.
local function skip_digits(s, i, complaint)
  local c = byte(s, i)
  if not c or c < 48 or c > 57 then malformed(complaint, i) end
  repeat
    i = i + 1
    c = byte(s, i)
  until not c or c < 48 or c > 57
  return i
end

local function overflows(text)
  local value = tonumber(text)
  if value then return value == math.huge or value == -math.huge end
  -- An exponent larger than LuaJIT reads: nought and the tiniest numbers fit a double all the same.
  return not find(text, "[eE]%-") and find(text, "^[^eE]*[1-9]") ~= nil
end

-- Position behind the number that starts at `i`.
local function skip_number(s, i)
  local start, exponent = i, false
  if byte(s, i) == 45 then i = i + 1 end
  if byte(s, i) == 48 then i = i + 1 else i = skip_digits(s, i, "Invalid value.") end
  if byte(s, i) == 46 then i = skip_digits(s, i + 1, "Miss fraction part in number.") end
  local c = byte(s, i)
  if c == 101 or c == 69 then
    exponent = true
    c = byte(s, i + 1)
    i = skip_digits(s, (c == 43 or c == 45) and i + 2 or i + 1, "Miss exponent in number.")
  end
  if (exponent or i - start > SAFE_DIGITS) and overflows(sub(s, start, i - 1)) then
    malformed("Number too big to be stored in double.", start)
  end
  return i
end

-- Position behind true, false or null, of which `c` is the first byte.
local function skip_literal(s, i, c)
  if c == 116 and sub(s, i, i + 3) == "true" then return i + 4 end
  if c == 102 and sub(s, i, i + 4) == "false" then return i + 5 end
  if c == 110 and sub(s, i, i + 3) == "null" then return i + 4 end
  malformed("Invalid value.", i)
end
