// The root-mean-square norm, fused with the addition to the residual stream; a block for each row.

// x' = x + y (where there is a y), kept in `sum` where that is wanted; normed = w x' / rms(x').
// With `rows`, row i of the result is row rows[i] of x and y.
extern "C" __global__ void add_norm(const float* x, const element* y, int y_leading, const int* rows,
                                    const float* weight, float epsilon, float* sum, element* normed,
                                    int normed_leading, float* inverse, int hidden) {
    extern __shared__ __align__(16) float kept[];
    long long to = blockIdx.x;
    long long from = rows ? rows[to] : to;
    float squares = 0.0f;
    for (int c = threadIdx.x * 4; c < hidden; c += blockDim.x * 4) {
        float4 v = *(const float4*)(x + from * hidden + c);
        if (y) {
            float4 added = load4(y + from * y_leading + c);
            v = make_float4(v.x + added.x, v.y + added.y, v.z + added.z, v.w + added.w);
        }
        *(float4*)(kept + c) = v;
        if (sum) *(float4*)(sum + to * hidden + c) = v;
        squares += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / hidden + epsilon);
    if (threadIdx.x == 0) inverse[to] = scale;
    for (int c = threadIdx.x * 4; c < hidden; c += blockDim.x * 4) {
        float4 v = *(const float4*)(kept + c);
        float4 w = *(const float4*)(weight + c);
        store4(normed + to * normed_leading + c,
               make_float4(v.x * scale * w.x, v.y * scale * w.y, v.z * scale * w.z, v.w * scale * w.w));
    }
}

// dx_j = r (w_j d_j - x_j r^2 sum_k w_k d_k x_k / hidden) with r = 1 / rms(x), added to the gradient of
// the residual stream, of which `g` gets a copy for the products. With `rows`, row i belongs to row
// rows[i] of both.
extern "C" __global__ void norm_backward(const element* d_normed, int d_leading, const float* x,
                                         const float* inverse, const float* weight, const int* rows,
                                         float* d, element* g, int g_leading, int hidden) {
    long long from = blockIdx.x;
    long long to = rows ? rows[from] : from;
    const float* at = x + from * hidden;
    const element* slope = d_normed + from * d_leading;
    float dot = 0.0f;
    for (int c = threadIdx.x * 4; c < hidden; c += blockDim.x * 4) {
        float4 v = *(const float4*)(at + c);
        float4 w = *(const float4*)(weight + c);
        float4 s = load4(slope + c);
        dot += v.x * w.x * s.x + v.y * w.y * s.y + v.z * w.z * s.z + v.w * w.w * s.w;
    }
    float r = inverse[from];
    float share = block_sum(dot) * r * r / hidden;
    for (int c = threadIdx.x * 4; c < hidden; c += blockDim.x * 4) {
        float4 v = *(const float4*)(at + c);
        float4 w = *(const float4*)(weight + c);
        float4 s = load4(slope + c);
        float4 total = *(const float4*)(d + to * hidden + c);
        total.x += r * (w.x * s.x - v.x * share);
        total.y += r * (w.y * s.y - v.y * share);
        total.z += r * (w.z * s.z - v.z * share);
        total.w += r * (w.w * s.w - v.w * share);
        *(float4*)(d + to * hidden + c) = total;
        store4(g + to * g_leading + c, total);
    }
}
