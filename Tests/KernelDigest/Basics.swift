import Compute

extension Digests {
  /// Elementary functions over all magnitudes, and at what is no ordinary number.
  func addElementaryFunctions() {
    let memory = newMemory()
    // Every exponent of a Double several times over, and numbers whose exponential is finite.
    let special: [Double] = [0, -0.0, 1, -1, .infinity, -.infinity, .nan, 0x1p-1074, .leastNormalMagnitude]
    let wide = (0..<20_000).map { _ in
      Double(bitPattern: UInt64(memory.integer(below: 1 << 32)) << 32 | UInt64(memory.integer(below: 1 << 32)))
    }
    let near = (0..<20_000).map { _ in Double(memory.next()) * 750 }
    let arguments = special + wide + near
    add("exp", arguments.map(Elementary.exp))
    add("log", arguments.map(Elementary.log))
    add("sin", arguments.map(Elementary.sin))
    add("cos", arguments.map(Elementary.cos))
    add("pow", zip(arguments, arguments.reversed()).map { Elementary.pow($0, $1) })
    add("pow of numbers near 1", near.map { Elementary.pow(abs($0), $0 / 100) })

    let floats = arguments.map { Float($0) } + (0..<20_000).map { _ in memory.next() * 110 }
    let exp: (Float) -> Float = Elementary.expFloat, log: (Float) -> Float = Elementary.logFloat
    add("exp of Float", floats.map(exp))
    add("log of Float", floats.map { log(abs($0)) })
  }

  /// Tensors in and out, and what is done to whole vectors.
  func addDoors() {
    for channels in [1, 3, 4, 7, 16, 40] {
      for (height, width) in [(1, 5), (9, 11), (70, 80)] {
        let shape = Shape(2, height, width, channels)
        let memory = newMemory()
        let values = memory.floats(shape.count), tensor = memory.result(shape)
        let images = memory.used(shape.count), stored = memory.used(shape.count)
        loadPanels(nchw: values.pointer, into: tensor.panels, pool: pool)
        storePanels(tensor.panels, nchw: stored.pointer, pool: pool)
        loadImages(
          nchw: values.pointer,
          into: Images(pointer: images.pointer, batch: 2, height: height, width: width, channels: channels), pool: pool)
        add("tensors of \(channels)×\(height)×\(width)", tensor.storage, stored, images)
      }
    }
    let memory = newMemory()
    let left = memory.floats(1000), right = memory.floats(1000), sum = memory.used(1000)
    Compute.add(left.pointer, right.pointer, into: sum.pointer, count: 997)
    add("sum of vectors", sum)
    for value in [Float.nan, .infinity, 1e38, 0x1p-149] {
      left.pointer[500] = value
      let isFinite = allFinite(UnsafePointer(left.pointer), count: 997)
      add("whether \(value) is finite", [isFinite ? 1 : 0])
    }
  }
}
