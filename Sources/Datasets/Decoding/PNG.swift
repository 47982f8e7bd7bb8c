import CSPNG

/// Decodes a PNG file to eight bits a channel.
///
/// Alpha is dropped, grey becomes three equal channels, palettes are looked up, of sixteen bits the upper eight stay. Gamma
/// and colour profiles are not applied. A wrong checksum anywhere is an error.
func decodePNG(_ bytes: [UInt8]) throws(ImageError) -> Picture {
  guard let context = spng_ctx_new(0) else { throw ImageError(reason: "the PNG decoder cannot start: out of memory") }
  defer { spng_ctx_free(context) }
  // The library keeps the address of the bytes, so everything happens while they are held in place.
  var failure: ImageError?
  var picture: Picture?
  bytes.withUnsafeBytes { buffer in
    do throws(ImageError) { picture = try decode(context, buffer) } catch { failure = error }
  }
  if let failure { throw failure }
  guard let picture else { throw ImageError(reason: "it has no pixels") }
  return picture
}

private func decode(_ context: OpaquePointer, _ bytes: UnsafeRawBufferPointer) throws(ImageError) -> Picture {
  let limit = UInt32(ImageLimits.side)
  try check(spng_set_image_limits(context, limit, limit))
  // Chunks that are not pixels (text, profiles) may take a few MiB, not what their header claims.
  try check(spng_set_chunk_limits(context, 16 << 20, 32 << 20))
  try check(spng_set_crc_action(context, Int32(SPNG_CRC_ERROR.rawValue), Int32(SPNG_CRC_ERROR.rawValue)))
  try check(spng_set_png_buffer(context, bytes.baseAddress, bytes.count))
  var header = spng_ihdr()
  try check(spng_get_ihdr(context, &header))
  let (width, height) = (Int(header.width), Int(header.height))
  try checkImageSize(width: width, height: height)

  var pixels = [UInt8](repeating: 0, count: 3 * width * height)
  try check(spng_decode_image(context, &pixels, pixels.count, Int32(SPNG_FMT_RGB8.rawValue), 0))
  try check(spng_decode_chunks(context))
  return Picture(width: width, height: height, pixels: pixels)
}

private func check(_ code: Int32) throws(ImageError) {
  guard code == 0 else {
    throw ImageError(
      reason: "the PNG decoder says: " + (spng_strerror(code).map { String(cString: $0) } ?? "error \(code)"))
  }
}
