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

/// The size at which evaluation looks at a picture before it takes the centre: the shorter side becomes size · 256/224,
/// rounded to nearest, the longer one keeps the aspect ratio, rounded down as torchvision does.
func evaluationSize(width: Int, height: Int, imageSize: Int) -> (width: Int, height: Int) {
  let shorter = (imageSize * 256 + 112) / 224
  return width <= height ? (shorter, shorter * height / width) : (shorter * width / height, shorter)
}

/// The central square; half pixels are rounded to even, as torchvision does.
func centerCrop(width: Int, height: Int, imageSize: Int) -> PixelRectangle {
  func start(_ size: Int) -> Int {
    let rest = size - imageSize
    return rest / 2 + (rest % 4 == 3 ? 1 : 0)
  }
  return PixelRectangle(x: start(width), y: start(height), width: imageSize, height: imageSize)
}
