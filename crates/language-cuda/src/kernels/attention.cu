// Probabilities of causal attention and their derivative; a warp for each row of `padded` scores.

// Row r belongs to place r % padded of sequence r / rows_of_sequence; places after it, and rows behind
// the end of the sequence, get zeros.
extern "C" __global__ void causal_softmax(const float* scores, element* p, const int* starts, int padded,
                                          int rows_of_sequence, long long rows) {
    long long r = ((long long)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
    if (r >= rows) return;
    int lane = threadIdx.x & 31;
    int sequence = (int)(r / rows_of_sequence), place = (int)(r % padded);
    int count = place < starts[sequence + 1] - starts[sequence] ? place + 1 : 0;
    const float* from = scores + r * padded;
    float most = LOWEST;
    for (int j = lane; j < count; j += 32) most = fmaxf(most, from[j]);
    most = warp_max(most);
    float sum = 0.0f;
    for (int j = lane; j < count; j += 32) sum += exponential(from[j] - most);
    sum = warp_sum(sum);
    float inverse = count > 0 ? 1.0f / sum : 0.0f;
    for (int j = lane; j < padded; j += 32) {
        store1(p + r * padded + j, j < count ? exponential(from[j] - most) * inverse : 0.0f);
    }
}

// ds_j = p_j (dp_j - sum_k p_k dp_k): zero wherever p is.
extern "C" __global__ void softmax_backward(const element* p, const float* dp, element* ds, int padded,
                                            long long rows) {
    long long r = ((long long)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
    if (r >= rows) return;
    int lane = threadIdx.x & 31;
    float dot = 0.0f;
    for (int j = lane; j < padded; j += 32) dot += load1(p + r * padded + j) * dp[r * padded + j];
    dot = warp_sum(dot);
    for (int j = lane; j < padded; j += 32) {
        store1(ds + r * padded + j, load1(p + r * padded + j) * (dp[r * padded + j] - dot));
    }
}
