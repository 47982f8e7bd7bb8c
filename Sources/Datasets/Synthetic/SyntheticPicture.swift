import Compute
import Lockstep

/// A colour whose parts are in 0 ... 1.
private struct Colour {
  var red: Double, green: Double, blue: Double

  /// A colour of a hue in turns, a saturation and a value.
  init(hue: Double, saturation: Double, value: Double) {
    func part(_ offset: Double) -> Double {
      var position = offset + hue * 6
      while position >= 6 { position -= 6 }
      return value - value * saturation * max(0, min(position, 4 - position, 1))
    }
    (red, green, blue) = (part(5), part(3), part(1))
  }

  private init(_ red: Double, _ green: Double, _ blue: Double) {
    (self.red, self.green, self.blue) = (red, green, blue)
  }

  func mixed(with other: Colour, _ share: Double) -> Colour {
    Colour(
      red + (other.red - red) * share, green + (other.green - green) * share, blue + (other.blue - blue) * share)
  }
}

/// Where and how a shape lies in a picture; lengths are fractions of the picture's size.
private struct Placement {
  let x: Double, y: Double
  let radius: Double
  let sine: Double, cosine: Double

  init(random: inout AddressedRandom) {
    radius = random.uniform(0.26, 0.42)
    x = random.uniform(radius + 0.02, 0.98 - radius)
    y = random.uniform(radius + 0.02, 0.98 - radius)
    let angle = random.uniform(0, 2 * Double.pi)
    (sine, cosine) = (Elementary.sin(angle), Elementary.cos(angle))
  }

  /// The share of a pixel that a shape covers, sampled at 3×3 points.
  func coverage(of shape: SyntheticShape, row: Int, column: Int, size: Int) -> Double {
    let pixel = 1 / Double(size)
    let (dx, dy) = ((Double(column) + 0.5) * pixel - x, (Double(row) + 0.5) * pixel - y)
    let reach = radius + pixel
    if dx * dx + dy * dy > reach * reach { return 0 }
    var covered = 0
    for down in -1...1 {
      for right in -1...1 {
        let u = (dx + Double(right) * pixel / 3) / radius, v = (dy + Double(down) * pixel / 3) / radius
        if shape.contains(cosine * u + sine * v, cosine * v - sine * u) { covered += 1 }
      }
    }
    return Double(covered) / 9
  }
}

/// What lies behind a shape: a gradient with a faint grating on it.
private struct Background {
  private let near: Colour, far: Colour
  private let directionX: Double, directionY: Double
  /// The grating is sin(across + down); its parts, of each column and each row, are computed once.
  private let across: [(sine: Double, cosine: Double)]
  private let down: [(sine: Double, cosine: Double)]

  init(isDark: Bool, size: Int, random: inout AddressedRandom) {
    func colour() -> Colour {
      Colour(
        hue: random.uniform(), saturation: isDark ? random.uniform(0, 0.9) : random.uniform(0, 0.35),
        value: isDark ? random.uniform(0.05, 0.4) : random.uniform(0.7, 1))
    }
    (near, far) = (colour(), colour())
    let angle = random.uniform(0, 2 * Double.pi)
    (directionX, directionY) = (Elementary.cos(angle), Elementary.sin(angle))
    let frequency = random.uniform(2, 9) * 2 * Double.pi / Double(size)
    let phase = random.uniform(0, 2 * Double.pi)
    let amplitude = random.uniform(0, 0.12)
    let (stepAcross, stepDown) = (frequency * directionY, -frequency * directionX)
    across = (0..<size).map { column in
      let angle = Double(column) * stepAcross + phase
      return (amplitude * Elementary.sin(angle), amplitude * Elementary.cos(angle))
    }
    down = (0..<size).map { row in
      let angle = Double(row) * stepDown
      return (Elementary.sin(angle), Elementary.cos(angle))
    }
  }

  func colour(row: Int, column: Int) -> Colour {
    let pixel = 1 / Double(down.count)
    let (x, y) = ((Double(column) + 0.5) * pixel - 0.5, (Double(row) + 0.5) * pixel - 0.5)
    let wave = across[column].sine * down[row].cosine + across[column].cosine * down[row].sine
    return near.mixed(with: far, min(1, max(0, 0.5 + 0.7 * (x * directionX + y * directionY) + wave)))
  }
}

/// Draws a synthetic picture as three planes of size × size bytes.
///
/// One shape of random place, size, angle and colour, dark on bright or bright on dark, over a gradient with a grating, and
/// uniform noise over all. Only additions, multiplications, divisions and our own sine enter, so that every host draws
/// the same.
func drawSyntheticPicture(_ kind: SyntheticClass, size: Int, random start: AddressedRandom) -> [UInt8] {
  var random = start
  let isDark = random.uniform() < 0.5
  let background = Background(isDark: isDark, size: size, random: &random)
  let placement = Placement(random: &random)
  // Where the hue is the class it is kept within a twentieth of a turn, and saturated enough to be seen.
  let hue = kind.hue.map { Double($0) / 360 + 1 + random.uniform(-0.025, 0.025) } ?? random.uniform()
  let saturation = kind.hue == nil ? random.uniform(0, 0.9) : random.uniform(0.75, 1)
  let value = isDark ? random.uniform(0.75, 1) : random.uniform(0.2, 0.5)
  let foreground = Colour(hue: hue, saturation: saturation, value: value)
  let noise = random.uniform(4, 28)

  let count = size * size
  return [UInt8](unsafeUninitializedCapacity: 3 * count) { planes, initialized in
    for row in 0..<size {
      for column in 0..<size {
        let coverage = placement.coverage(of: kind.shape, row: row, column: column, size: size)
        let colour = background.colour(row: row, column: column).mixed(with: foreground, coverage)
        let index = row * size + column
        let bits = random.next()
        // Ten of the bits are a channel's noise.
        func level(_ part: Double, _ shift: UInt32) -> UInt8 {
          let level = part * 255 + noise * (Double(bits >> shift & 1023) / 1024 - 0.5)
          return UInt8(min(255, max(0, level + 0.5)))
        }
        planes[index] = level(colour.red, 0)
        planes[count + index] = level(colour.green, 10)
        planes[2 * count + index] = level(colour.blue, 20)
      }
    }
    initialized = 3 * count
  }
}
