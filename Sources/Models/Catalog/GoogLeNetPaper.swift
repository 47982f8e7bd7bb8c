extension ModelDefinition {
  /// GoogLeNet as it won ImageNet in 2014: 22 layers with parameters, no batch normalisation, for 224×224 images.
  ///
  /// - Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1 and section 5. What the paper leaves
  ///   open, the places of the response norms, their constants and how the weights begin, is as in Caffe's
  ///   `bvlc_googlenet`: Xavier weights, biases of 0.2, and of 0 in the three classifiers.
  ///
  /// The three networks of the catalog that are built from table 1 differ in what stands where it says "5×5":
  /// - here a 5×5 convolution;
  /// - in `googlenet` one 3×3 convolution, as in the TensorFlow network whose weights torchvision carries;
  /// - in `googlenet-seed` two 3×3 convolutions, one after the other.
  ///
  /// Keys are torchvision's, without the batch norms. Differences to the paper:
  /// - the average before the classifier is over all pixels, which are 7×7 where images are 224×224.
  static let googLeNetPaper = ModelDefinition(
    name: "googlenet-paper", summary: "the GoogLeNet of 2014: response norms, real 5×5, no batch norm",
    defaultImageSize: 224, auxiliaryWeight: 0.3, labelSmoothing: 0
  ) { net in
    net.weights = .xavier
    net.biases = .constant(0.2)

    var x = unit(net, net.input, "conv1", 64, 7, stride: 2, padding: 3)
    x = net.maxPool(x, "maxpool1", 3, stride: 2, ceilMode: true)
    x = responseNorm(net, x, "norm1")
    x = unit(net, x, "conv2", 64, 1)
    x = unit(net, x, "conv3", 192, 3, padding: 1)
    x = responseNorm(net, x, "norm2")
    x = net.maxPool(x, "maxpool2", 3, stride: 2, ceilMode: true)
    // Filters: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection.
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
    x = net.maxPool(x, "maxpool4", 3, stride: 2, ceilMode: true)
    x = inception(net, x, "inception5a", 256, 160, 320, 32, 128, 128)
    x = inception(net, x, "inception5b", 384, 192, 384, 48, 128, 128)

    auxiliary(net, tap1, .aux1)
    auxiliary(net, tap2, .aux2)

    x = net.adaptiveAveragePool(x, "avgpool", 1)
    x = net.dropout(x, "dropout", 0.4)
    net.classifier(x, "fc", biases: .constant(0))
  }
}

/// Convolution, ReLU.
private func unit(
  _ net: GraphBuilder, _ x: Value, _ name: String, _ filters: Int, _ size: Int, stride: Int = 1, padding: Int = 0
) -> Value {
  net.relu(net.convolution(x, name + ".conv", filters, size, stride: stride, padding: padding, bias: true))
}

/// Normalisation across five neighbouring channels.
///
/// - Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012, section 3.3, with
///   Caffe's constants.
private func responseNorm(_ net: GraphBuilder, _ x: Value, _ name: String) -> Value {
  net.localResponseNorm(x, name, 5, alpha: 1e-4, beta: 0.75, k: 1)
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
  let branch3 = unit(net, reduced3, name + ".branch3.1", filters5, 5, padding: 2)

  let pooled = net.maxPool(x, name + ".branch4.0", 3, stride: 1, padding: 1, ceilMode: true)
  let branch4 = unit(net, pooled, name + ".branch4.1", projection, 1)

  return net.concatenate([branch1, branch2, branch3, branch4], name)
}

/// A classifier on an inner layer, which runs only in training.
private func auxiliary(_ net: GraphBuilder, _ tap: Value, _ head: Head) {
  let name = head.rawValue
  net.auxiliary(head) {
    var x = net.averagePool(tap, name + ".pool", 5, stride: 3)
    x = unit(net, x, name + ".conv", 128, 1)
    x = net.relu(net.linear(x, name + ".fc1", 1024))
    x = net.dropout(x, name + ".dropout", 0.7)
    net.classifier(x, name + ".fc2", biases: .constant(0))
  }
}
