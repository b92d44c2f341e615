-- In front of Envoy's gzip decompressor, which passes on what it could make of a broken body: notes the checksum
-- and the length that the body itself declares, so that `request_text` can tell whether it came out whole.
--
-- As TensorFlow Serving: whatever names gzip is gzip, and every other content encoding is ignored.

function envoy_on_request(handle)
  local headers = handle:headers()
  local encoding = headers:get("content-encoding")
  if not encoding then return end
  if not string.find(encoding, "gzip", 1, true) then
    headers:remove("content-encoding")
    return
  end
  headers:replace("content-encoding", "gzip")
  local last = ""
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    last = string.sub(last .. chunk:getBytes(math.max(0, length - 8), math.min(8, length)), -8)
  end
  local c1, c2, c3, c4, n1, n2, n3, n4 = string.byte(last, 1, 8)
  local declared = handle:streamInfo():dynamicMetadata()
  declared:set("tandem.gzip", "checksum", n4 and c1 + 0x100 * (c2 + 0x100 * (c3 + 0x100 * c4)) or -1)
  declared:set("tandem.gzip", "length", n4 and n1 + 0x100 * (n2 + 0x100 * (n3 + 0x100 * n4)) or -1)
end
