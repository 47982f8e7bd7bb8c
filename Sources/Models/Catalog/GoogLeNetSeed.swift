extension ModelDefinition {
  /// GoogLeNet for 32×32 images: one convolution for a stem, and two 3×3 convolutions where the paper has a 5×5.
  ///
  /// - Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1, rows inception (3a) to (5b); the
  ///   arrangement for small images is that of the CIFAR networks in common use.
  ///
  /// Differences to the paper:
  /// - the stem is a single 3×3 convolution to 192 channels; only two pools halve the image, 3×3 with padding 1;
  /// - every convolution keeps its bias and is followed by batch normalisation (ε 10⁻⁵);
  /// - the "5×5" branch is two 3×3 convolutions (a 5×5 field of view);
  /// - a 7×7 average pool with stride 1 leaves 2×2, so the classifier sees 4096 values; no dropout before it;
  /// - the auxiliary heads (im3 and im6 are the paper's 4a and 4d) come after the classifier in the state_dict, so that a
  ///   checkpoint without them is a prefix.
  static let googLeNetSeed = ModelDefinition(
    name: "googlenet-seed", summary: "GoogLeNet for 32×32 images: batch norm, two 3×3 instead of 5×5",
    defaultImageSize: 32, auxiliaryWeight: 0.3, labelSmoothing: 0
  ) { net in
    var x = unit(net, net.input, "stem", 0, 192, 3, padding: 1)
    // Filters: 1×1, 3×3 reduce, 3×3, "5×5" reduce, "5×5", pool projection.
    x = inception(net, x, "im1", 64, 96, 128, 16, 32, 32)
    x = inception(net, x, "im2", 128, 128, 192, 32, 96, 64)
    x = net.maxPool(x, "max_pool1", 3, stride: 2, padding: 1)
    x = inception(net, x, "im3", 192, 96, 208, 16, 48, 64)
    let tap1 = x
    x = inception(net, x, "im4", 160, 112, 224, 24, 64, 64)
    x = inception(net, x, "im5", 128, 128, 256, 24, 64, 64)
    x = inception(net, x, "im6", 112, 144, 288, 32, 64, 64)
    let tap2 = x
    x = inception(net, x, "im7", 256, 160, 320, 32, 128, 128)
    x = net.maxPool(x, "max_pool2", 3, stride: 2, padding: 1)
    x = inception(net, x, "im8", 256, 160, 320, 32, 128, 128)
    x = inception(net, x, "im9", 384, 192, 384, 48, 128, 128)
    x = net.averagePool(x, "average_pool", 7, stride: 1)
    net.classifier(x, "fc")

    auxiliary(net, tap1, .aux1)
    auxiliary(net, tap2, .aux2)
  }
}

/// Convolution, batch normalisation, ReLU, numbered as in a sequence of layers that begins with `index`.
private func unit(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ index: Int, _ filters: Int, _ size: Int, padding: Int = 0
) -> Value {
  let y = net.convolution(x, "\(name).\(index)", filters, size, padding: padding, bias: true)
  return net.relu(net.batchNorm(y, "\(name).\(index + 1)", epsilon: 1e-5))
}

/// Four branches side by side.
private func inception(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ filters1: Int, _ reduce3: Int, _ filters3: Int, _ reduce5: Int,
  _ filters5: Int, _ projection: Int
) -> Value {
  let block1 = unit(net, x, name + ".block1", 0, filters1, 1)

  let reduced2 = unit(net, x, name + ".block2", 0, reduce3, 1)
  let block2 = unit(net, reduced2, name + ".block2", 3, filters3, 3, padding: 1)

  let reduced3 = unit(net, x, name + ".block3", 0, reduce5, 1)
  let middle3 = unit(net, reduced3, name + ".block3", 3, filters5, 3, padding: 1)
  let block3 = unit(net, middle3, name + ".block3", 6, filters5, 3, padding: 1)

  let pooled = net.maxPool(x, name + ".block4.0", 3, stride: 1, padding: 1)
  let block4 = unit(net, pooled, name + ".block4", 1, projection, 1)

  return net.concatenate([block1, block2, block3, block4], name)
}

/// A classifier on an inner layer, which runs only in training.
private func auxiliary(_ net: GraphBuilder, _ tap: Value, _ head: Head) {
  let name = head.rawValue
  net.auxiliary(head) {
    var x = net.averagePool(tap, name + ".pool", 5, stride: 3)
    x = unit(net, x, name + ".conv", 0, 128, 1)
    x = net.relu(net.linear(x, name + ".fc1", 1024))
    x = net.dropout(x, name + ".dropout", 0.7)
    net.classifier(x, name + ".fc2")
  }
}
