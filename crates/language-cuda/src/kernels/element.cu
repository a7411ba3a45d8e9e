// The number that matrices are held in, and what every kernel needs. ELEMENT_BF16 chooses brain
// floats (f32 accumulation everywhere), otherwise elements are f32.

typedef unsigned int word;

// Below every number that is compared.
#define LOWEST (-3.0e38f)

#ifdef ELEMENT_BF16
typedef unsigned short element;

__device__ inline float exponential(float x) { return __expf(x); }

__device__ inline float low_half(word x) { return __uint_as_float(x << 16); }
__device__ inline float high_half(word x) { return __uint_as_float(x & 0xffff0000u); }

// Two floats rounded to nearest even, `low` in the lower half.
__device__ inline word two(float low, float high) {
    word x;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(x) : "f"(high), "f"(low));
    return x;
}

__device__ inline float load1(const element* p) { return low_half(*p); }
__device__ inline void store1(element* p, float x) { *p = (element)(two(x, 0.0f) & 0xffffu); }

__device__ inline float4 load4(const element* p) {
    uint2 v = *(const uint2*)p;
    return make_float4(low_half(v.x), high_half(v.x), low_half(v.y), high_half(v.y));
}

__device__ inline void store4(element* p, float4 v) {
    *(uint2*)p = make_uint2(two(v.x, v.y), two(v.z, v.w));
}

__device__ inline void store8(element* p, float4 v, float4 w) {
    *(uint4*)p = make_uint4(two(v.x, v.y), two(v.z, v.w), two(w.x, w.y), two(w.z, w.w));
}
#else
typedef float element;

__device__ inline float exponential(float x) { return expf(x); }

__device__ inline float load1(const element* p) { return *p; }
__device__ inline void store1(element* p, float x) { *p = x; }
__device__ inline float4 load4(const element* p) { return *(const float4*)p; }
__device__ inline void store4(element* p, float4 v) { *(float4*)p = v; }

__device__ inline void store8(element* p, float4 v, float4 w) {
    store4(p, v);
    store4(p + 4, w);
}
#endif

__device__ inline float warp_sum(float x) {
    for (int far = 16; far > 0; far >>= 1) x += __shfl_xor_sync(0xffffffffu, x, far);
    return x;
}

__device__ inline float warp_max(float x) {
    for (int far = 16; far > 0; far >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, far));
    return x;
}

// Sum over a block whose size is a multiple of 32; every thread gets it.
__device__ inline float block_sum(float x) {
    __shared__ float parts[32];
    int warps = blockDim.x >> 5;
    x = warp_sum(x);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = x;
    __syncthreads();
    float sum = 0.0f;
    for (int i = 0; i < warps; i++) sum += parts[i];
    return sum;
}

__device__ inline float block_max(float x) {
    __shared__ float parts[32];
    int warps = blockDim.x >> 5;
    x = warp_max(x);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = x;
    __syncthreads();
    float most = parts[0];
    for (int i = 1; i < warps; i++) most = fmaxf(most, parts[i]);
    return most;
}
