import Compute

// Prints a digest of each result of every kernel, and one of all: `scripts/check-widths` compares those of programs that
// were compiled for registers of other widths. The argument is the number of threads.

let threads = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 2
let digests = Digests(pool: ThreadPool(threads: max(1, threads)))
digests.addElementaryFunctions()
digests.addDoors()
digests.addConvolutions()
digests.addProducts()
digests.addBatchNorms()
digests.addPools()
digests.addResponseNorms()
digests.addActivations()
digests.addLosses()
digests.finish()
