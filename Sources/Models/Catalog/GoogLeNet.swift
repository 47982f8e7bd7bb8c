extension ModelDefinition {
  /// GoogLeNet with batch normalisation for 224×224 images, as torchvision has it: its checkpoints' keys and numbers.
  ///
  /// - Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1; torchvision.models.googlenet.
  ///
  /// Differences to the paper:
  /// - each convolution has no bias and is followed by batch normalisation (ε 0.001); there is no local response
  ///   normalisation;
  /// - the "5×5" branch is a 3×3 convolution, as in the TensorFlow network whose weights torchvision carries;
  /// - the fourth down-sampling pool is 2×2 with stride 2;
  /// - heads average to 4×4, the trunk to 1×1, whatever the image size; the main dropout is 0.2 instead of 0.4;
  /// - weights begin Gaussian with deviation 0.01.
  static let googLeNet = ModelDefinition(
    name: "googlenet", summary: "torchvision's GoogLeNet: batch norm, 3×3 instead of 5×5",
    defaultImageSize: 224, auxiliaryWeight: 0.3, labelSmoothing: 0
  ) { net in
    net.weights = .normal(0.01)

    var x = unit(net, net.input, "conv1", 64, 7, stride: 2, padding: 3)
    x = net.maxPool(x, "maxpool1", 3, stride: 2, ceilMode: true)
    x = unit(net, x, "conv2", 64, 1)
    x = unit(net, x, "conv3", 192, 3, padding: 1)
    x = net.maxPool(x, "maxpool2", 3, stride: 2, ceilMode: true)
    // Filters: 1×1, 3×3 reduce, 3×3, "5×5" reduce, "5×5", pool projection.
    x = inception(net, x, "inception3a", 64, 96, 128, 16, 32, 32)
    x = inception(net, x, "inception3b", 128, 128, 192, 32, 96, 64)
    x = net.maxPool(x, "maxpool3", 3, stride: 2, ceilMode: true)
    x = inception(net, x, "inception4a", 192, 96, 208, 16, 48, 64)
    let tap1 = x
    x = inception(net, x, "inception4b", 160, 112, 224, 24, 64, 64)
    x = inception(net, x, "inception4c", 128, 128, 256, 24, 64, 64)
    x = inception(net, x, "inception4d", 112, 144, 288, 32, 64, 64)
    let tap2 = x
    x = inception(net, x, "inception4e", 256, 160, 320, 32, 128, 128)
    x = net.maxPool(x, "maxpool4", 2, stride: 2, ceilMode: true)
    x = inception(net, x, "inception5a", 256, 160, 320, 32, 128, 128)
    x = inception(net, x, "inception5b", 384, 192, 384, 48, 128, 128)

    auxiliary(net, tap1, .aux1)
    auxiliary(net, tap2, .aux2)

    x = net.adaptiveAveragePool(x, "avgpool", 1)
    x = net.dropout(x, "dropout", 0.2)
    net.classifier(x, "fc")
  }
}

/// Convolution, batch normalisation, ReLU.
private func unit(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int, _ size: Int, stride: Int = 1, padding: Int = 0
) -> Value {
  let y = net.convolution(x, name + ".conv", filters, size, stride: stride, padding: padding, bias: false)
  return net.relu(net.batchNorm(y, name + ".bn", epsilon: 0.001))
}

/// Four branches side by side.
private func inception(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ filters1: Int, _ reduce3: Int, _ filters3: Int, _ reduce5: Int,
  _ filters5: Int, _ projection: Int
) -> Value {
  let branch1 = unit(net, x, name + ".branch1", filters1, 1)

  let reduced2 = unit(net, x, name + ".branch2.0", reduce3, 1)
  let branch2 = unit(net, reduced2, name + ".branch2.1", filters3, 3, padding: 1)

  let reduced3 = unit(net, x, name + ".branch3.0", reduce5, 1)
  let branch3 = unit(net, reduced3, name + ".branch3.1", filters5, 3, padding: 1)

  let pooled = net.maxPool(x, name + ".branch4.0", 3, stride: 1, padding: 1, ceilMode: true)
  let branch4 = unit(net, pooled, name + ".branch4.1", projection, 1)

  return net.concatenate([branch1, branch2, branch3, branch4], name)
}

/// A classifier on an inner layer, which runs only in training.
private func auxiliary(_ net: GraphBuilder, _ tap: Value, _ head: Head) {
  let name = head.rawValue
  net.auxiliary(head) {
    var x = net.adaptiveAveragePool(tap, name + ".pool", 4)
    x = unit(net, x, name + ".conv", 128, 1)
    x = net.relu(net.linear(x, name + ".fc1", 1024))
    x = net.dropout(x, name + ".dropout", 0.7)
    net.classifier(x, name + ".fc2")
  }
}
