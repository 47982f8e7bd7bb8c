extension ModelDefinition {
  /// Inception v3 for 299×299 images, as torchvision has it: its checkpoints' keys and numbers.
  ///
  /// - Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, table 1 and
  ///   figures 5 to 7; torchvision.models.inception_v3, which follows the TensorFlow network of the authors.
  ///
  /// Differences to the paper, all of them the authors' network's too:
  /// - between 73×73 and 35×35 there are a 1×1 and a 3×3 convolution and a pool instead of three 3×3 convolutions;
  /// - the modules at 35×35 keep a real 5×5 convolution beside the two 3×3 that figure 5 replaces it with;
  /// - of the modules of figure 6 there are four, behind one that halves the image.
  ///
  /// The auxiliary head needs 17×17 values, which 299 pixels leave; without it 75 pixels are enough. Weights begin
  /// Gaussian with deviation 0.1, and 0.001 in the auxiliary classifier: torchvision truncates at ±2, twenty deviations
  /// away, where no value ever lies. (It means to begin the head's 5×5 convolution with 0.01, but 0.1 is what comes out,
  /// because the number is set on a module that holds no weight.)
  static let inceptionV3 = ModelDefinition(
    name: "inception-v3", summary: "torchvision's Inception v3: 1×7 and 7×1 for 7×7, label smoothing",
    defaultImageSize: 299, auxiliaryWeight: 0.4, labelSmoothing: 0.1
  ) { net in
    net.weights = .normal(0.1)

    var x = unit(net, net.input, "Conv2d_1a_3x3", 32, 3, stride: 2)
    x = unit(net, x, "Conv2d_2a_3x3", 32, 3)
    x = unit(net, x, "Conv2d_2b_3x3", 64, 3, padding: 1)
    x = net.maxPool(x, "maxpool1", 3, stride: 2)
    x = unit(net, x, "Conv2d_3b_1x1", 80, 1)
    x = unit(net, x, "Conv2d_4a_3x3", 192, 3)
    x = net.maxPool(x, "maxpool2", 3, stride: 2)
    // 35×35
    x = inceptionA(net, x, "Mixed_5b", projection: 32)
    x = inceptionA(net, x, "Mixed_5c", projection: 64)
    x = inceptionA(net, x, "Mixed_5d", projection: 64)
    // 17×17
    x = inceptionB(net, x, "Mixed_6a")
    x = inceptionC(net, x, "Mixed_6b", reduce: 128)
    x = inceptionC(net, x, "Mixed_6c", reduce: 160)
    x = inceptionC(net, x, "Mixed_6d", reduce: 160)
    x = inceptionC(net, x, "Mixed_6e", reduce: 192)
    auxiliary(net, x)
    // 8×8
    x = inceptionD(net, x, "Mixed_7a")
    x = inceptionE(net, x, "Mixed_7b")
    x = inceptionE(net, x, "Mixed_7c")

    x = net.adaptiveAveragePool(x, "avgpool", 1)
    x = net.dropout(x, "dropout", 0.5)
    net.classifier(x, "fc")
  }
}

/// Convolution, batch normalisation, ReLU; a window of (height, width).
private func unit(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int, _ window: (Int, Int), stride: Int = 1,
  padding: (Int, Int)
) -> Value {
  let y = net.convolution(x, name + ".conv", filters, window, stride: stride, padding: padding, bias: false)
  return net.relu(net.batchNorm(y, name + ".bn", epsilon: 0.001))
}

/// The same with a square window.
private func unit(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int, _ size: Int, stride: Int = 1, padding: Int = 0
) -> Value {
  unit(net, x, name, filters, (size, size), stride: stride, padding: (padding, padding))
}

/// A row of seven, or of three, that keeps the size.
private func row(_ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int, _ length: Int) -> Value {
  unit(net, x, name, filters, (1, length), padding: (0, length / 2))
}

/// A column of seven, or of three, that keeps the size.
private func column(_ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int, _ length: Int) -> Value {
  unit(net, x, name, filters, (length, 1), padding: (length / 2, 0))
}

/// The branch of a module that averages before its 1×1 convolution.
private func poolBranch(_ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int) -> Value {
  unit(net, net.averagePool(x, name + ".avg_pool", 3, stride: 1, padding: 1), name + ".branch_pool", filters, 1)
}

/// 1×1, 5×5 and double 3×3 convolutions (figure 5).
private func inceptionA(_ net: GraphBuilder, _ x: Value, _ name: String, projection: Int) -> Value {
  let branch1x1 = unit(net, x, name + ".branch1x1", 64, 1)

  var branch5x5 = unit(net, x, name + ".branch5x5_1", 48, 1)
  branch5x5 = unit(net, branch5x5, name + ".branch5x5_2", 64, 5, padding: 2)

  var double3x3 = unit(net, x, name + ".branch3x3dbl_1", 64, 1)
  double3x3 = unit(net, double3x3, name + ".branch3x3dbl_2", 96, 3, padding: 1)
  double3x3 = unit(net, double3x3, name + ".branch3x3dbl_3", 96, 3, padding: 1)

  return net.concatenate([branch1x1, branch5x5, double3x3, poolBranch(net, x, name, projection)], name)
}

/// Halves the image: 3×3 and double 3×3 convolutions with stride 2 beside a pool (section 5).
private func inceptionB(_ net: GraphBuilder, _ x: Value, _ name: String) -> Value {
  let branch3x3 = unit(net, x, name + ".branch3x3", 384, 3, stride: 2)

  var double3x3 = unit(net, x, name + ".branch3x3dbl_1", 64, 1)
  double3x3 = unit(net, double3x3, name + ".branch3x3dbl_2", 96, 3, padding: 1)
  double3x3 = unit(net, double3x3, name + ".branch3x3dbl_3", 96, 3, stride: 2)

  return net.concatenate([branch3x3, double3x3, net.maxPool(x, name + ".max_pool", 3, stride: 2)], name)
}

/// 1×1 convolutions, 7×7 as a row and a column, and double 7×7 likewise (figure 6).
private func inceptionC(_ net: GraphBuilder, _ x: Value, _ name: String, reduce: Int) -> Value {
  let branch1x1 = unit(net, x, name + ".branch1x1", 192, 1)

  var branch7x7 = unit(net, x, name + ".branch7x7_1", reduce, 1)
  branch7x7 = row(net, branch7x7, name + ".branch7x7_2", reduce, 7)
  branch7x7 = column(net, branch7x7, name + ".branch7x7_3", 192, 7)

  var double7x7 = unit(net, x, name + ".branch7x7dbl_1", reduce, 1)
  double7x7 = column(net, double7x7, name + ".branch7x7dbl_2", reduce, 7)
  double7x7 = row(net, double7x7, name + ".branch7x7dbl_3", reduce, 7)
  double7x7 = column(net, double7x7, name + ".branch7x7dbl_4", reduce, 7)
  double7x7 = row(net, double7x7, name + ".branch7x7dbl_5", 192, 7)

  return net.concatenate([branch1x1, branch7x7, double7x7, poolBranch(net, x, name, 192)], name)
}

/// Halves the image: a 3×3 convolution with stride 2, alone and behind a 7×7, beside a pool (section 5).
private func inceptionD(_ net: GraphBuilder, _ x: Value, _ name: String) -> Value {
  var branch3x3 = unit(net, x, name + ".branch3x3_1", 192, 1)
  branch3x3 = unit(net, branch3x3, name + ".branch3x3_2", 320, 3, stride: 2)

  var branch7x7 = unit(net, x, name + ".branch7x7x3_1", 192, 1)
  branch7x7 = row(net, branch7x7, name + ".branch7x7x3_2", 192, 7)
  branch7x7 = column(net, branch7x7, name + ".branch7x7x3_3", 192, 7)
  branch7x7 = unit(net, branch7x7, name + ".branch7x7x3_4", 192, 3, stride: 2)

  return net.concatenate([branch3x3, branch7x7, net.maxPool(x, name + ".max_pool", 3, stride: 2)], name)
}

/// Wide branches for the coarsest grid: 3×3 as a row and a column side by side, the last of a double 3×3 likewise
/// (figure 7).
private func inceptionE(_ net: GraphBuilder, _ x: Value, _ name: String) -> Value {
  let branch1x1 = unit(net, x, name + ".branch1x1", 320, 1)

  let reduced = unit(net, x, name + ".branch3x3_1", 384, 1)
  let branch3x3 = [
    row(net, reduced, name + ".branch3x3_2a", 384, 3), column(net, reduced, name + ".branch3x3_2b", 384, 3),
  ]

  var double3x3 = unit(net, x, name + ".branch3x3dbl_1", 448, 1)
  double3x3 = unit(net, double3x3, name + ".branch3x3dbl_2", 384, 3, padding: 1)
  let doubled = [
    row(net, double3x3, name + ".branch3x3dbl_3a", 384, 3), column(net, double3x3, name + ".branch3x3dbl_3b", 384, 3),
  ]

  return net.concatenate(
    [
      branch1x1, net.concatenate(branch3x3, name + ".branch3x3"), net.concatenate(doubled, name + ".branch3x3dbl"),
      poolBranch(net, x, name, 192),
    ], name)
}

/// The classifier on the last 17×17 grid, which runs only in training. Its second convolution has no padding: 5×5 values
/// become one.
private func auxiliary(_ net: GraphBuilder, _ tap: Value) {
  net.auxiliary(.aux1) {
    var x = net.averagePool(tap, "AuxLogits.avg_pool", 5, stride: 3)
    x = unit(net, x, "AuxLogits.conv0", 128, 1)
    x = unit(net, x, "AuxLogits.conv1", 768, 5)
    x = net.adaptiveAveragePool(x, "AuxLogits.adaptive_avg_pool", 1)
    net.classifier(x, "AuxLogits.fc", weights: .normal(0.001))
  }
}
