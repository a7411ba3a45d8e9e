// Frozen weights in 8 bits and the low-rank additions beside them.

// w[row][c] = scale[row] * q[row][c]; a block for each row, columns a multiple of 16.
extern "C" __global__ void dequantise(const signed char* q, const float* scales, element* w,
                                      int columns, int leading) {
    long long row = blockIdx.x;
    const signed char* from = q + row * columns;
    element* to = w + row * leading;
    float scale = scales[row];
    for (int c = threadIdx.x * 16; c < columns; c += blockDim.x * 16) {
        int4 packed = *(const int4*)(from + c);
        int words[4] = {packed.x, packed.y, packed.z, packed.w};
        float4 part[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int x = words[i];
            part[i] = make_float4(scale * (float)(signed char)(x & 0xff),
                                  scale * (float)(signed char)((x >> 8) & 0xff),
                                  scale * (float)(signed char)((x >> 16) & 0xff),
                                  scale * (float)(signed char)((x >> 24) & 0xff));
        }
        store8(to + c, part[0], part[1]);
        store8(to + c + 8, part[2], part[3]);
    }
}

// The same of numbers that need no unpacking.
extern "C" __global__ void copy_rows(const element* from, element* to, int columns, int leading) {
    const int4* source = (const int4*)(from + (long long)blockIdx.x * columns);
    int4* target = (int4*)(to + (long long)blockIdx.x * leading);
    int count = columns / (16 / (int)sizeof(element));
    for (int i = threadIdx.x; i < count; i += blockDim.x) target[i] = source[i];
}

// Rows of the embedding in f32; a block for each token. Tokens from `vocabulary` on have theirs in `rows`.
extern "C" __global__ void embed(const signed char* q, const float* scales, const int* tokens,
                                 const float* rows, int vocabulary, float* x, int hidden) {
    long long token = tokens[blockIdx.x];
    float* to = x + (long long)blockIdx.x * hidden;
    if (token >= vocabulary) {
        const float* row = rows + (token - vocabulary) * hidden;
        for (int c = threadIdx.x; c < hidden; c += blockDim.x) to[c] = row[c];
        return;
    }
    const signed char* from = q + token * hidden;
    float scale = scales[token];
    for (int c = threadIdx.x; c < hidden; c += blockDim.x) to[c] = scale * (float)from[c];
}

// The same of numbers that need no unpacking.
extern "C" __global__ void embed_numbers(const element* w, const int* tokens, const float* rows,
                                         int vocabulary, float* x, int hidden) {
    long long token = tokens[blockIdx.x];
    float* to = x + (long long)blockIdx.x * hidden;
    if (token >= vocabulary) {
        const float* row = rows + (token - vocabulary) * hidden;
        for (int c = threadIdx.x; c < hidden; c += blockDim.x) to[c] = row[c];
        return;
    }
    const element* from = w + token * hidden;
    for (int c = threadIdx.x; c < hidden; c += blockDim.x) to[c] = load1(from + c);
}

// Adds the gradient of the residual stream to that of the rows of new tokens; a block for each of them,
// which adds up its tokens in order.
extern "C" __global__ void embed_backward(const float* d, const int* tokens, int count, int vocabulary,
                                          float* d_rows, int hidden) {
    int token = vocabulary + blockIdx.x;
    float* to = d_rows + (long long)blockIdx.x * hidden;
    for (int c = threadIdx.x; c < hidden; c += blockDim.x) {
        float sum = 0.0f;
        for (int t = 0; t < count; t++) {
            if (tokens[t] == token) sum += d[(long long)t * hidden + c];
        }
        to[c] += sum;
    }
}

// Numbers in f32 as elements.
extern "C" __global__ void to_elements(const float* from, element* to, long long count) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) store1(to + i, from[i]);
}

// Puts A (rank x inputs) below the frozen rows of a group and B (outputs x rank) right of them.
extern "C" __global__ void pack_low_rank(const float* a, const float* b, element* w, int leading,
                                         int inputs, int outputs, int rank, int first_output,
                                         int group_outputs, int column) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    long long of_a = (long long)rank * inputs;
    if (i < of_a) {
        long long row = group_outputs + column + i / inputs;
        store1(w + row * leading + i % inputs, a[i]);
        return;
    }
    i -= of_a;
    if (i < (long long)outputs * rank) {
        long long row = first_output + i / rank;
        store1(w + row * leading + inputs + column + i % rank, b[i]);
    }
}

// Adds a module's part of a group's gradients to those of A and B.
extern "C" __global__ void unpack_low_rank(const float* group_a, const float* group_b, float* a, float* b,
                                           int inputs, int outputs, int rank, int first_output,
                                           int column, int columns) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    long long of_a = (long long)rank * inputs;
    if (i < of_a) {
        a[i] += group_a[(column + i / inputs) * inputs + i % inputs];
        return;
    }
    i -= of_a;
    if (i < (long long)outputs * rank) {
        b[i] += group_b[(first_output + i / rank) * columns + column + i % rank];
    }
}

// Bytes of -127 to 127 from a counter (the finaliser of MurmurHash3), four for each thread.
extern "C" __global__ void random_bytes(signed char* q, long long count, unsigned long long seed) {
    long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * 4;
    if (i >= count) return;
    unsigned long long x = (unsigned long long)i * 0x9e3779b97f4a7c15ull + seed;
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
    x ^= x >> 33;
    for (int k = 0; k < 4 && i + k < count; k++) {
        int value = (int)((x >> (8 * k)) & 0xff) - 128;
        q[i + k] = (signed char)(value < -127 ? -127 : value);
    }
}

extern "C" __global__ void fill(float* x, long long count, float value) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) x[i] = value;
}
