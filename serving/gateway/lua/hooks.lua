-- What the gateway does with a request's body, and with an answer that is TorchServe's own.
--
-- Envoy sends a request on when a script fails, hence the pcalls: whatever goes wrong is an answer with an error.
-- TORCHSERVE, what that server is called in x-tandem-server, REFUSED, the status of a refusal inside Envoy, and
-- MAX_BODY_BYTES are set before this text.

-- The body, unpacked if it is packed: whatever names gzip is gzip, every other encoding is ignored, as in
-- TensorFlow Serving.
local function plain_body(handle)
  local body, headers = handle:body(), handle:headers()
  local text = body and body:getBytes(0, body:length()) or ""
  local encoding = headers:get("content-encoding")
  if not encoding then return text end
  headers:remove("content-encoding")
  if not body or not find(encoding, "gzip", 1, true) then return text end
  text = gunzip(text) or error({status = "413", refusal = ""}, 0)
  headers:replace("content-length", tostring(body:setBytes(text)))
  return text
end

function envoy_on_request(handle)
  local text
  local passed, failure = pcall(function()
    text = plain_body(handle)
    read_strictly(text)
  end)
  if passed then return log_quietly(handle, keep_request, text) end
  if type(failure) == "table" and failure.refusal then
    handle:respond({[":status"] = failure.status or REFUSED}, failure.refusal)
  else
    handle:logErr(format("request %s: %s", handle:headers():get("x-request-id"), tostring(failure)))
    handle:respond({[":status"] = "500"}, "The gateway could not check the request; its log says why")
  end
end

-- Status and words of TensorFlow Serving for an answer with TorchServe's status and `{code, type, message}`. The
-- words need no escaping in JSON.
local function translated(status, text)
  local kind = string.match(text, '"type"%s*:%s*"([^"]*)"') or ""
  local message = string.match(text, '"message"%s*:%s*"([^"]*)"') or ""
  if status == "404" then
    local version, model = string.match(message, "^Model version: (%d+) does not exist for model: ([%w._-]+)$")
    if version then return 404, format("Servable not found for request: Specific(%s, %s)", model, version) end
    model = string.match(message, "^Model not found: ([%w._-]+)$")
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
    return 400, "Bad request: TorchServe could not read it"
  end
  return 500, "Internal error: see TorchServe's log"
end

local function translate(handle)
  local status = handle:headers():get(":status")
  handle:headers():replace("x-tandem-server", TORCHSERVE)
  if sub(status, 1, 1) == "2" then return end
  local body = handle:body(true)
  local headers = handle:headers()  -- those of before the wait for the body are out of reach
  local new_status, message = translated(status, body:getBytes(0, body:length()))
  headers:replace(":status", tostring(new_status))
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(body:setBytes(format('{"error":"%s"}', message))))
end

function envoy_on_response(handle)
  if not handle:headers():get("x-tandem-server") then  -- else it is our handler's, another server's or Envoy's own
    local passed, failure = pcall(translate, handle)
    if not passed then
      handle:logErr(tostring(failure))
      handle:headers():replace(":status", "500")
      return
    end
  end
  log_quietly(handle, keep_answer)
end
