import CTurboJPEG

/// Decodes a JPEG file with the accurate integer DCT and fancy upsampling, so that every host gets the same bytes.
///
/// Grey becomes three equal channels. CMYK and YCCK are taken as Adobe writes them, inverted, and become RGB by integers:
/// channel · black / 255, rounded. Whatever the library warns of (a truncated or corrupt file) is an error.
func decodeJPEG(_ bytes: [UInt8]) throws(ImageError) -> Picture {
  guard let handle = tjInitDecompress() else {
    throw ImageError(reason: "the JPEG decoder cannot start: out of memory")
  }
  defer { tjDestroy(handle) }

  var (width, height, subsampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
  let length = UInt(bytes.count)
  guard tjDecompressHeader3(handle, bytes, length, &width, &height, &subsampling, &space) == 0 else {
    throw ImageError(reason: lastError(handle))
  }
  try checkImageSize(width: Int(width), height: Int(height))

  let hasBlack = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
  let format = hasBlack ? TJPF_CMYK : TJPF_RGB
  let pixelCount = Int(width) * Int(height)
  var pixels = [UInt8](repeating: 0, count: pixelCount * (hasBlack ? 4 : 3))
  let flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS
  guard tjDecompress2(handle, bytes, length, &pixels, width, 0, height, format.rawValue, flags) == 0 else {
    throw ImageError(reason: lastError(handle))
  }
  if hasBlack { pixels = rgb(invertedCMYK: pixels) }
  return Picture(width: Int(width), height: Int(height), pixels: pixels)
}

/// Encodes planes of red, green and blue as a JPEG file without chroma subsampling, the same bytes on every host.
func encodeJPEG(_ picture: Picture, quality: Int32) throws(ImageError) -> [UInt8] {
  guard let handle = tjInitCompress() else { throw ImageError(reason: "the JPEG encoder cannot start: out of memory") }
  defer { tjDestroy(handle) }
  let (width, height) = (Int32(picture.width), Int32(picture.height))
  let subsampling = Int32(TJSAMP_444.rawValue)
  var bytes = [UInt8](repeating: 0, count: Int(tjBufSize(width, height, subsampling)))
  var length = UInt(bytes.count)
  let result = bytes.withUnsafeMutableBufferPointer { buffer in
    var target = buffer.baseAddress
    return tjCompress2(
      handle, picture.pixels, width, 0, height, TJPF_RGB.rawValue, &target, &length, subsampling, quality,
      TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC)
  }
  guard result == 0 else { throw ImageError(reason: lastError(handle)) }
  return Array(bytes[..<Int(length)])
}

private func lastError(_ handle: tjhandle) -> String {
  "the JPEG decoder says: " + (tjGetErrorStr2(handle).map { String(cString: $0) } ?? "no reason given")
}

private func rgb(invertedCMYK bytes: [UInt8]) -> [UInt8] {
  let count = bytes.count / 4
  var pixels = [UInt8](repeating: 0, count: 3 * count)
  for index in 0..<count {
    let black = Int(bytes[4 * index + 3])
    for channel in 0..<3 {
      let ink = 255 - Int(bytes[4 * index + channel])
      // ink · black / 255, rounded to nearest, without a division.
      let product = ink * black + 128
      pixels[3 * index + channel] = UInt8(black - ((product >> 8) + product) >> 8)
    }
  }
  return pixels
}
