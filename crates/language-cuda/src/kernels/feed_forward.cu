// SwiGLU and its derivative. Rows of `gate_up` hold the gate and then what is gated; the grid is
// (rows, parts of a row), four numbers for each thread.

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// out = gate sigmoid(gate) up
extern "C" __global__ void swiglu(const element* gate_up, int leading, element* out, int out_leading,
                                  int inner) {
    int c = (blockIdx.y * blockDim.x + threadIdx.x) * 4;
    if (c >= inner) return;
    long long row = blockIdx.x;
    float4 g = load4(gate_up + row * leading + c), u = load4(gate_up + row * leading + inner + c);
    store4(out + row * out_leading + c,
           make_float4(g.x * sigmoid(g.x) * u.x, g.y * sigmoid(g.y) * u.y, g.z * sigmoid(g.z) * u.z,
                       g.w * sigmoid(g.w) * u.w));
}

__device__ inline void slopes(float g, float u, float d, float& dg, float& du) {
    float s = sigmoid(g);
    du = d * g * s;
    dg = d * u * s * (1.0f + g * (1.0f - s));
}

extern "C" __global__ void swiglu_backward(const element* gate_up, int leading, const element* d_out,
                                           int d_leading, element* d_gate_up, int to_leading, int inner) {
    int c = (blockIdx.y * blockDim.x + threadIdx.x) * 4;
    if (c >= inner) return;
    long long row = blockIdx.x;
    float4 g = load4(gate_up + row * leading + c), u = load4(gate_up + row * leading + inner + c);
    float4 d = load4(d_out + row * d_leading + c), dg, du;
    slopes(g.x, u.x, d.x, dg.x, du.x);
    slopes(g.y, u.y, d.y, dg.y, du.y);
    slopes(g.z, u.z, d.z, dg.z, du.z);
    slopes(g.w, u.w, d.w, dg.w, du.w);
    store4(d_gate_up + row * to_leading + c, dg);
    store4(d_gate_up + row * to_leading + inner + c, du);
}
