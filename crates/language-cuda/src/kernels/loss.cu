// Cross-entropy over the vocabulary: losses and, scaled by `weight`, the gradient of the logits; a block
// for each row.
extern "C" __global__ void cross_entropy(const float* logits, int leading, const int* targets,
                                         int vocabulary, float weight, float* losses, element* d) {
    const float* row = logits + (long long)blockIdx.x * leading;
    element* to = d + (long long)blockIdx.x * leading;
    float most = LOWEST, sum = 0.0f;
    for (int j = threadIdx.x; j < vocabulary; j += blockDim.x) {
        float x = row[j];
        if (x > most) {
            sum *= exponential(most - x);
            most = x;
        }
        sum += exponential(x - most);
    }
    float top = block_max(most);
    sum = block_sum(sum * exponential(most - top));
    int target = targets[blockIdx.x];
    if (threadIdx.x == 0) losses[blockIdx.x] = logf(sum) + top - row[target];
    float scale = weight / sum;
    for (int j = threadIdx.x; j < vocabulary; j += blockDim.x) {
        store1(to + j, exponential(row[j] - top) * scale - (j == target ? weight : 0.0f));
    }
}
