// Cross-entropy over the vocabulary: losses and, scaled by `weight`, the gradient of the logits; a block
// for each row. `right` is 1 where the target is the most probable of the tokens from `first_new` on, the
// first of them where several are.
extern "C" __global__ void cross_entropy(const float* logits, int leading, const int* targets,
                                         int vocabulary, int first_new, float weight, float* losses,
                                         float* right, element* d) {
    const float* row = logits + (long long)blockIdx.x * leading;
    element* to = d + (long long)blockIdx.x * leading;
    int target = targets[blockIdx.x];
    float most = LOWEST, sum = 0.0f, best = LOWEST;
    for (int j = threadIdx.x; j < vocabulary; j += blockDim.x) {
        float x = row[j];
        if (x > most) {
            sum *= exponential(most - x);
            most = x;
        }
        sum += exponential(x - most);
        // What stands behind the target must be larger to be before it.
        if (j >= first_new && j != target) best = fmaxf(best, j > target ? x : nextafterf(x, 3.4e38f));
    }
    float top = block_max(most);
    sum = block_sum(sum * exponential(most - top));
    best = block_max(best);
    if (threadIdx.x == 0) {
        losses[blockIdx.x] = logf(sum) + top - row[target];
        right[blockIdx.x] = target >= first_new && row[target] >= best ? 1.0f : 0.0f;
    }
    float scale = weight / sum;
    for (int j = threadIdx.x; j < vocabulary; j += blockDim.x) {
        store1(to + j, exponential(row[j] - top) * scale - (j == target ? weight : 0.0f));
    }
}
