import Compute
print(ThreadPool(threads: 2).threads)
