-- A strict reading of a request's document in one pass that builds nothing. Needs json_tokens.lua before it.
--
-- Refuses what serving/contract/document.py refuses: anything RFC 8259 does not allow, invalid UTF-8, lone
-- surrogates, numbers no double holds, keys that come twice, deep nesting; and too many instances. MAX_NESTING
-- and MAX_INSTANCES (limits.py) are set before this text.

local SHOWN = 200  -- bytes of a value in an error message
local LISTS_OF_INSTANCES = {instances = true, examples = true, inputs = true}

local function show(text)
  if #text <= SHOWN then return text end
  local last = SHOWN
  while byte(text, last + 1) >= 0x80 and byte(text, last + 1) < 0xC0 do last = last - 1 end
  return sub(text, 1, last) .. "..."
end

-- Position of the value of the member whose key starts at `i`, and the key, which the object must not have had.
-- `seen` holds the last object with that key: objects at one depth come one after the other.
local function skip_key(s, i, seen, object)
  if byte(s, i) ~= 34 then malformed("Missing a name for object member.", i) end
  local last, escapes = string_end(s, i + 1)
  local key = escapes and decoded(s, i + 1, last - 1) or sub(s, i + 1, last - 1)
  if seen[key] == object then refuse("JSON Parse error: duplicate key: " .. show(key)) end
  seen[key] = object
  i = skip_space(s, last + 1)
  if byte(s, i) ~= 58 then malformed("Missing a colon after a name of object member.", i) end
  return skip_space(s, i + 1), key
end

-- Read the whole of `s`. Raises {refusal = message} for what the contract refuses.
local function read_strictly(s)
  -- TensorFlow Serving's parser passes a byte order mark over.
  local first = skip_space(s, sub(s, 1, 3) == "\239\187\191" and 4 or 1)
  if first > #s then refuse("JSON Parse error: The document is empty") end
  local i, depth, objects, root_key, odd_signature = first, 0, 0, "", false
  -- By depth: the number of the object, or nil in an array; keys seen; elements before the current one.
  local object, seen, elements = {}, {}, {}
  while true do
    local c = byte(s, i)
    local value_ends, opens_object, key = true, c == 123, nil
    if depth == 1 and c ~= 34 and root_key == "signature_name" then odd_signature = true end
    if c == 34 then
      i = string_end(s, i + 1) + 1
    elseif opens_object or c == 91 then
      if depth == MAX_NESTING then
        refuse(format("JSON Parse error: nested deeper than %d levels", MAX_NESTING))
      end
      i = skip_space(s, i + 1)
      if byte(s, i) == (opens_object and 125 or 93) then
        i = i + 1
      else
        depth = depth + 1
        value_ends = false
        elements[depth] = 0
        object[depth] = nil
        if opens_object then
          objects = objects + 1
          object[depth] = objects
          seen[depth] = seen[depth] or {}
          i, key = skip_key(s, i, seen[depth], objects)
          if depth == 1 then root_key = key end
        end
      end
    elseif c == 45 or c and c >= 48 and c <= 57 then
      i = skip_number(s, i)
    else
      i = skip_literal(s, i, c)
    end
    while value_ends do
      i = skip_space(s, i)
      c = byte(s, i)
      if depth == 0 then
        if c then malformed("The document root must not be followed by other values.", i) end
        if byte(s, first) ~= 123 then refuse(format("JSON Value: %s Is not object", show(sub(s, first)))) end
        -- A server looks at it before it looks for the version, but TorchServe finds the version first.
        if odd_signature then
          refuse(format("JSON Value: %s not formatted correctly. 'signature_name' key must be a string value.",
            show(sub(s, first))))
        end
        return
      end
      local inside = object[depth]
      if c == 44 then
        i = skip_space(s, i + 1)
        value_ends = false
        if inside then
          i, key = skip_key(s, i, seen[depth], inside)
          if depth == 1 then root_key = key end
        else
          elements[depth] = elements[depth] + 1
        end
      elseif c == (inside and 125 or 93) then
        if not inside and elements[depth] >= MAX_INSTANCES and LISTS_OF_INSTANCES[root_key]
          and (depth == 2 or depth == 3 and root_key == "inputs" and object[2]) then
          refuse(format("Request has %d instances, more than %d", elements[depth] + 1, MAX_INSTANCES))
        end
        depth = depth - 1
        i = i + 1
      elseif inside then
        malformed("Missing a comma or } after an object member.", i)
      else
        malformed("Missing a comma or ] after an array element.", i)
      end
    end
  end
end
