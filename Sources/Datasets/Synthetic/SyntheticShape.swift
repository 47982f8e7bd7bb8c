/// The shapes that synthetic pictures show, in byte order of their names.
///
/// Any two differ by more than a rotation, a reflection, a size or a place.
enum SyntheticShape: String, CaseIterable, Sendable {
  case bar, crescent, cross, disk, dots, frame, ring, square, star, triangle

  /// Whether a point lies within the shape, which itself lies within the unit circle.
  func contains(_ x: Double, _ y: Double) -> Bool {
    let radiusSquared = x * x + y * y
    switch self {
    case .bar: return abs(x) <= 0.94 && abs(y) <= 0.22
    case .crescent:
      let fromHole = (x - 0.42) * (x - 0.42) + y * y
      return radiusSquared <= 0.9 * 0.9 && fromHole > 0.72 * 0.72
    case .cross: return min(abs(x), abs(y)) <= 0.24 && max(abs(x), abs(y)) <= 0.94
    case .disk: return radiusSquared <= 0.8 * 0.8
    case .dots: return Self.dotCentres.contains { (x - $0.x) * (x - $0.x) + (y - $0.y) * (y - $0.y) <= 0.33 * 0.33 }
    case .frame:
      let distance = max(abs(x), abs(y))
      return distance <= 0.7 && distance >= 0.42
    case .ring: return radiusSquared <= 0.86 * 0.86 && radiusSquared >= 0.54 * 0.54
    case .square: return max(abs(x), abs(y)) <= 0.68
    case .star: return Self.isInside(Self.starCorners, x, y)
    case .triangle: return Self.isInside(Self.triangleCorners, x, y)
    }
  }

  private typealias Point = (x: Double, y: Double)

  /// Three dots on a circle of radius 0.62, 120° apart.
  private static let dotCentres: [Point] = [(0.62, 0), (-0.31, 0.5369), (-0.31, -0.5369)]

  /// On the unit circle, scaled by 0.96, 120° apart.
  private static let triangleCorners: [Point] = [(0.96, 0), (-0.48, 0.8314), (-0.48, -0.8314)]

  /// Outer corners on the unit circle, inner ones at a radius of 0.4, 36° apart.
  private static let starCorners: [Point] = [
    (1, 0), (0.3236, 0.2351), (0.3090, 0.9511), (-0.1236, 0.3804), (-0.8090, 0.5878),
    (-0.4, 0), (-0.8090, -0.5878), (-0.1236, -0.3804), (0.3090, -0.9511), (0.3236, -0.2351),
  ]

  /// Whether a ray to the right crosses the outline an odd number of times.
  private static func isInside(_ corners: [Point], _ x: Double, _ y: Double) -> Bool {
    var inside = false
    var previous = corners[corners.count - 1]
    for corner in corners {
      if (corner.y > y) != (previous.y > y) {
        let crossing = corner.x + (y - corner.y) / (previous.y - corner.y) * (previous.x - corner.x)
        if x < crossing { inside.toggle() }
      }
      previous = corner
    }
    return inside
  }
}

/// A class of synthetic pictures: a shape, and with more than ten classes a hue as well.
struct SyntheticClass: Hashable, Sendable {
  /// Ten shapes in up to ten hues.
  static let limit = 100

  let shape: SyntheticShape
  /// The hue of the shape in degrees; nil where colours tell nothing.
  let hue: Int?

  /// Labels count hues first, so that the classes' names are in byte order.
  init(label: Int, of classes: Int) {
    precondition((0..<classes).contains(label) && classes <= Self.limit, "a class of a synthetic dataset")
    let shapes = SyntheticShape.allCases
    let hues = (classes + shapes.count - 1) / shapes.count
    shape = shapes[label / hues]
    hue = hues == 1 ? nil : label % hues * 360 / hues
  }

  /// The shape's name; with a hue like `star-hue072`.
  var name: String {
    guard let hue else { return shape.rawValue }
    let digits = String(hue)
    return shape.rawValue + "-hue" + String(repeating: "0", count: 3 - digits.count) + digits
  }
}
