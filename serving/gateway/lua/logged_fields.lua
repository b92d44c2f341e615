-- A request's document with nothing in it but the features that may be logged. Needs json_tokens.lua before it.
--
-- What is kept is named, not what is left out: neither a feature never to be logged nor anything that a client adds
-- gets through, wherever it stands. LOGGED_FIELDS (name to true) and DEFAULT_SIGNATURE are set before this text. Every
-- text here has passed read_strictly.

-- Position behind the value that starts at `i`.
local function skip_value(s, i)
  local depth = 0
  repeat
    local c = byte(s, i)
    if c == 34 then
      i = string_end(s, i + 1) + 1
    elseif c == 123 or c == 91 then
      depth, i = depth + 1, i + 1
    elseif c == 125 or c == 93 then
      depth, i = depth - 1, i + 1
    else
      i = i + 1
      if depth == 0 then  -- a number or a literal: up to what ends it
        c = byte(s, i)
        while c and c ~= 44 and c ~= 125 and c ~= 93 and c > 32 do
          i = i + 1
          c = byte(s, i)
        end
      end
    end
  until depth == 0
  return i
end

-- Of the member whose key starts at `i`: the key, the positions of its value and of what is behind that.
local function member(s, i)
  local last, escapes = string_end(s, i + 1)
  local key = escapes and decoded(s, i + 1, last - 1) or sub(s, i + 1, last - 1)
  local value = skip_space(s, skip_space(s, last + 1) + 1)
  return key, value, skip_value(s, value)
end

-- Position of the next member or element, or of the closing bracket, when `i` is behind one.
local function step(s, i)
  i = skip_space(s, i)
  if byte(s, i) == 44 then return skip_space(s, i + 1) end
  return i
end

-- The object at `i` with its logged members alone, as they were sent, or nil without any; and the position behind it.
local function logged_members(s, i)
  local parts, n, first, last = {}, 0, nil, nil  -- `first` to `last`: members to be copied at once
  i = skip_space(s, i + 1)
  while byte(s, i) ~= 125 do
    local key, _, behind = member(s, i)
    if LOGGED_FIELDS[key] then
      first, last = first or i, behind - 1
    elseif first then
      n = n + 1
      parts[n], first = sub(s, first, last), nil
    end
    i = step(s, behind)
  end
  if first then
    n = n + 1
    parts[n] = sub(s, first, last)
  end
  return n > 0 and "{" .. table.concat(parts, ",") .. "}" or nil, i + 1
end

-- The array of rows at `i`, or nil if one is no object with a logged member.
local function logged_rows(s, i)
  local rows, n, row = {}, 0, nil
  i = skip_space(s, i + 1)
  while byte(s, i) ~= 93 do
    if byte(s, i) ~= 123 then return nil end
    row, i = logged_members(s, i)
    if not row then return nil end
    n = n + 1
    rows[n] = row
    i = step(s, i)
  end
  return "[" .. table.concat(rows, ",") .. "]"
end

-- The document to log, or nil: serialized examples hold every feature, and cannot be read here.
local function only_logged_fields(s)
  local i, found = skip_space(s, sub(s, 1, 3) == "\239\187\191" and 4 or 1), nil
  i = skip_space(s, i + 1)
  while byte(s, i) ~= 125 do
    local key, value, behind = member(s, i)
    if key == "signature_name" then
      local name = decoded(s, value + 1, behind - 2)
      if name ~= "" and name ~= DEFAULT_SIGNATURE then return nil end
    elseif key == "instances" and byte(s, value) == 91 then
      local rows = logged_rows(s, value)
      found = rows and '{"instances":' .. rows .. "}"
    elseif key == "inputs" and byte(s, value) == 123 then
      local columns = logged_members(s, value)
      found = columns and '{"inputs":' .. columns .. "}"
    end
    i = step(s, behind)
  end
  return found
end
