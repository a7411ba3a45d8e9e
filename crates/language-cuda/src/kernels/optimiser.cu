// AdamW with decoupled decay and clipping by the norm of the whole gradient.

// Sum of squares of each block's share.
extern "C" __global__ void square_sums(const float* g, long long count, float* sums) {
    float sum = 0.0f;
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        sum += g[i] * g[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// norm[0] = the norm, norm[1] = by what the gradient is multiplied (1 where `most` is 0); one thread.
extern "C" __global__ void clipping(const float* sums, int count, float most, float* norm) {
    double sum = 0.0;
    for (int i = 0; i < count; i++) sum += sums[i];
    float root = (float)sqrt(sum);
    norm[0] = root;
    norm[1] = most > 0.0f ? fminf(1.0f, most / (root + 1e-6f)) : 1.0f;
}

// `step` is the rate over 1 - beta1^t, `root` is 1 / sqrt(1 - beta2^t), `kept` is 1 - rate * decay. The
// gradient is zero afterwards.
extern "C" __global__ void adamw(float* values, float* g, float* m, float* v, long long count,
                                 const float* norm, float beta1, float beta2, float epsilon, float kept,
                                 float step, float root) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float slope = g[i] * norm[1];
    float first = beta1 * m[i] + (1.0f - beta1) * slope;
    float second = beta2 * v[i] + (1.0f - beta2) * slope * slope;
    m[i] = first;
    v[i] = second;
    values[i] = values[i] * kept - step * first / (sqrtf(second) * root + epsilon);
    g[i] = 0.0f;
}
