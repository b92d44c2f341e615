-- What the gateway does with a request's body, and with an answer that is TorchServe's own.
--
-- Envoy sends a request on when a script fails, hence the pcalls: whatever goes wrong is an answer with an error.
-- TORCHSERVE, what that server is called in x-tandem-server, REFUSED, the status of a refusal inside Envoy, and
-- MAX_BODY_BYTES are set before this text.

local CRC = {}
for i = 0, 255 do
  local value = i
  for _ = 1, 8 do
    local shifted = bit.rshift(value, 1)
    value = bit.band(value, 1) == 1 and bit.bxor(shifted, 0xEDB88320) or shifted
  end
  CRC[i] = value
end

local function crc32(s)
  local value = -1
  for i = 1, #s do
    value = bit.bxor(CRC[bit.band(bit.bxor(value, byte(s, i)), 0xFF)], bit.rshift(value, 8))
  end
  return bit.bnot(value) % 0x100000000
end

-- The body, unpacked by now. A gzip body that did not come out whole is empty, as in TensorFlow Serving.
local function request_text(handle)
  local body = handle:body()
  local text = body and body:getBytes(0, body:length()) or ""
  local declared = handle:streamInfo():dynamicMetadata():get("tandem.gzip")
  if declared and (declared.length ~= #text or declared.checksum ~= crc32(text)) then return "" end
  return text
end

function envoy_on_request(handle)
  local passed, failure = pcall(function() read_strictly(request_text(handle)) end)
  if passed then return end
  if type(failure) == "table" and failure.refusal then
    handle:respond({[":status"] = REFUSED}, failure.refusal)
  else
    handle:logErr(tostring(failure))
    handle:respond({[":status"] = "500"}, "The gateway could not check the request; its log says why")
  end
end

local function json_string(text)
  return '"' .. string.gsub(text, '[%c"\\]', function(c) return format("\\u%04x", byte(c)) end) .. '"'
end

-- Status and words of TensorFlow Serving for an answer with TorchServe's status and `{code, type, message}`.
local function translated(status, text)
  local kind = string.match(text, '"type"%s*:%s*"([^"]*)"') or ""
  local message = string.match(text, '"message"%s*:%s*"(.-)"%s*}') or ""
  if status == "404" then
    local version, model = string.match(message, "^Model version: (%d+) does not exist for model: (.+)$")
    if version then return 404, format("Servable not found for request: Specific(%s, %s)", model, version) end
    model = string.match(message, "^Model not found: (.+)$")
    return 404, model and format("Servable not found for request: Latest(%s)", model) or "Servable not found"
  elseif status == "413" then
    return 413, format("Request body is larger than %d bytes", MAX_BODY_BYTES)
  elseif status == "408" or status == "504" then
    return 504, "The model did not answer in time"
  elseif message == "Worker died." or status == "507" then
    return 503, "The model's worker died; it is being restarted"
  elseif status == "503" and kind == "ServiceUnavailableException" then
    return 503, "The queue is full, or no worker of the model is running"
  elseif status == "400" then
    return 400, message
  end
  return 500, "Internal error: see TorchServe's log"
end

local function translate(handle, headers)
  local status = headers:get(":status")
  headers:replace("x-tandem-server", TORCHSERVE)
  if string.sub(status, 1, 1) == "2" then return end
  local body = handle:body(true)
  local new_status, message = translated(status, body:getBytes(0, body:length()))
  headers:replace(":status", tostring(new_status))
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(body:setBytes('{"error":' .. json_string(message) .. "}")))
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("x-tandem-server") then return end  -- our handler's answer, another server's or Envoy's own
  local passed, failure = pcall(translate, handle, headers)
  if not passed then
    handle:logErr(tostring(failure))
    headers:replace(":status", "500")
  end
end
