import Compute
import Lockstep

/// The part of a picture that a random resized crop takes: an area of 8 to 100 %, an aspect ratio of 3/4 to 4/3.
///
/// Ten tries; then the largest central part whose aspect ratio is within the bounds.
///
/// - Source: Szegedy et al. 2015, section 6; torchvision's RandomResizedCrop, with its order of draws and its rounding.
func randomResizedCrop(width: Int, height: Int, random: inout AddressedRandom) -> PixelRectangle {
  let logarithm = 0.28768207245178090  // ln(4/3)
  let area = Double(width * height)
  for _ in 0..<10 {
    let target = area * random.uniform(0.08, 1)
    let aspect = Elementary.exp(random.uniform(-logarithm, logarithm))
    let cropWidth = Int((target * aspect).squareRoot().rounded(.toNearestOrEven))
    let cropHeight = Int((target / aspect).squareRoot().rounded(.toNearestOrEven))
    if (1...width).contains(cropWidth) && (1...height).contains(cropHeight) {
      let y = random.integer(below: height - cropHeight + 1)
      let x = random.integer(below: width - cropWidth + 1)
      return PixelRectangle(x: x, y: y, width: cropWidth, height: cropHeight)
    }
  }
  var (cropWidth, cropHeight) = (width, height)
  if 4 * width < 3 * height {
    cropHeight = Int((Double(width) / (3.0 / 4.0)).rounded(.toNearestOrEven))
  } else if 3 * width > 4 * height {
    cropWidth = Int((Double(height) * (4.0 / 3.0)).rounded(.toNearestOrEven))
  }
  // A picture one pixel wide rounds to what is still within it.
  (cropWidth, cropHeight) = (min(max(cropWidth, 1), width), min(max(cropHeight, 1), height))
  return PixelRectangle(
    x: (width - cropWidth) / 2, y: (height - cropHeight) / 2, width: cropWidth, height: cropHeight)
}

/// A side of the GoogLeNet papers' evaluation, which is given for inputs of 224 pixels, for inputs of another size: side ·
/// size / 224, rounded to nearest.
func evaluationSide(_ side: Int, imageSize: Int) -> Int { (imageSize * side + 112) / 224 }

/// The size of a picture whose shorter side becomes `shorterSide`; the longer one keeps the aspect ratio, rounded down as
/// torchvision does.
func resizedSize(width: Int, height: Int, shorterSide: Int) -> (width: Int, height: Int) {
  width <= height ? (shorterSide, shorterSide * height / width) : (shorterSide * width / height, shorterSide)
}

/// The size at which evaluation looks at a picture before it takes the centre: the shorter side becomes size · 256/224.
func evaluationSize(width: Int, height: Int, imageSize: Int) -> (width: Int, height: Int) {
  resizedSize(width: width, height: height, shorterSide: evaluationSide(256, imageSize: imageSize))
}

/// The central square; half pixels are rounded to even, as torchvision does.
func centerCrop(width: Int, height: Int, imageSize: Int) -> PixelRectangle {
  func start(_ size: Int) -> Int {
    let rest = size - imageSize
    return rest / 2 + (rest % 4 == 3 ? 1 : 0)
  }
  return PixelRectangle(x: start(width), y: start(height), width: imageSize, height: imageSize)
}

/// The squares in the corners (upper left, upper right, lower left, lower right) and the central one.
func cornersAndCenter(width: Int, height: Int, imageSize: Int) -> [PixelRectangle] {
  let corners = [0, height - imageSize].flatMap { y in
    [0, width - imageSize].map { x in PixelRectangle(x: x, y: y, width: imageSize, height: imageSize) }
  }
  return corners + [centerCrop(width: width, height: height, imageSize: imageSize)]
}

/// The largest squares at the beginning, in the centre and at the end of the longer side.
func threeSquares(width: Int, height: Int) -> [PixelRectangle] {
  let side = min(width, height)
  let first = PixelRectangle(x: 0, y: 0, width: side, height: side)
  let last = PixelRectangle(x: width - side, y: height - side, width: side, height: side)
  return [first, centerCrop(width: width, height: height, imageSize: side), last]
}
