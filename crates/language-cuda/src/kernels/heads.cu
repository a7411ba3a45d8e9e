// Between packed rows (tokens x all heads) and padded heads (sequence, head, place, width), with the
// rotation of queries and keys. `starts` holds where each sequence starts, and the end of the last.
// The grid is (padded length, sequences); places behind the end of a sequence become zeros. The width of
// a head is a multiple of 8, and the two halves of a head are rotated as pairs.

extern "C" __global__ void split_heads(const element* qkv, int leading, const int* starts,
                                       const float* cosine, const float* sine, element* q, element* k,
                                       element* v, int heads, int key_heads, int width) {
    int place = blockIdx.x, sequence = blockIdx.y, padded = gridDim.x;
    bool inside = place < starts[sequence + 1] - starts[sequence];
    const element* row = qkv + (long long)(starts[sequence] + place) * leading;
    int half = width / 2, quads = half / 4;
    for (int i = threadIdx.x; i < (heads + 2 * key_heads) * quads; i += blockDim.x) {
        int head = i / quads, p = (i % quads) * 4;
        float4 a = make_float4(0.0f, 0.0f, 0.0f, 0.0f), b = a;
        if (inside) {
            a = load4(row + head * width + p);
            b = load4(row + head * width + p + half);
        }
        element* to;
        if (head < heads) {
            to = q + (((long long)sequence * heads + head) * padded + place) * width;
        } else if (head < heads + key_heads) {
            to = k + (((long long)sequence * key_heads + head - heads) * padded + place) * width;
        } else {
            int of = head - heads - key_heads;
            to = v + (((long long)sequence * key_heads + of) * padded + place) * width;
        }
        if (head < heads + key_heads) {
            float4 c = *(const float4*)(cosine + place * half + p);
            float4 s = *(const float4*)(sine + place * half + p);
            float4 x = make_float4(a.x * c.x - b.x * s.x, a.y * c.y - b.y * s.y, a.z * c.z - b.z * s.z,
                                   a.w * c.w - b.w * s.w);
            b = make_float4(b.x * c.x + a.x * s.x, b.y * c.y + a.y * s.y, b.z * c.z + a.z * s.z,
                            b.w * c.w + a.w * s.w);
            a = x;
        }
        store4(to + p, a);
        store4(to + p + half, b);
    }
}

// The way back through split_heads.
extern "C" __global__ void split_heads_backward(const element* dq, const element* dk, const element* dv,
                                                const int* starts, const float* cosine,
                                                const float* sine, element* g, int leading, int heads,
                                                int key_heads, int width) {
    int place = blockIdx.x, sequence = blockIdx.y, padded = gridDim.x;
    if (place >= starts[sequence + 1] - starts[sequence]) return;
    element* row = g + (long long)(starts[sequence] + place) * leading;
    int half = width / 2, quads = half / 4;
    for (int i = threadIdx.x; i < (heads + 2 * key_heads) * quads; i += blockDim.x) {
        int head = i / quads, p = (i % quads) * 4;
        const element* from;
        if (head < heads) {
            from = dq + (((long long)sequence * heads + head) * padded + place) * width;
        } else if (head < heads + key_heads) {
            from = dk + (((long long)sequence * key_heads + head - heads) * padded + place) * width;
        } else {
            int of = head - heads - key_heads;
            from = dv + (((long long)sequence * key_heads + of) * padded + place) * width;
        }
        float4 a = load4(from + p), b = load4(from + p + half);
        if (head < heads + key_heads) {
            float4 c = *(const float4*)(cosine + place * half + p);
            float4 s = *(const float4*)(sine + place * half + p);
            float4 x = make_float4(a.x * c.x + b.x * s.x, a.y * c.y + b.y * s.y, a.z * c.z + b.z * s.z,
                                   a.w * c.w + b.w * s.w);
            b = make_float4(b.x * c.x - a.x * s.x, b.y * c.y - a.y * s.y, b.z * c.z - a.z * s.z,
                            b.w * c.w - a.w * s.w);
            a = x;
        }
        store4(row + head * width + p, a);
        store4(row + head * width + p + half, b);
    }
}

// Outputs of the heads back to packed rows.
extern "C" __global__ void join_heads(const element* o, const int* starts, element* rows, int leading,
                                      int heads, int width) {
    int place = blockIdx.x, sequence = blockIdx.y, padded = gridDim.x;
    if (place >= starts[sequence + 1] - starts[sequence]) return;
    element* row = rows + (long long)(starts[sequence] + place) * leading;
    for (int i = threadIdx.x * 4; i < heads * width; i += blockDim.x * 4) {
        long long head = (long long)sequence * heads + i / width;
        store4(row + i, load4(o + (head * padded + place) * width + i % width));
    }
}

// The way back through join_heads.
extern "C" __global__ void join_heads_backward(const element* d_rows, int leading, const int* starts,
                                               element* d_o, int heads, int width) {
    int place = blockIdx.x, sequence = blockIdx.y, padded = gridDim.x;
    bool inside = place < starts[sequence + 1] - starts[sequence];
    const element* row = d_rows + (long long)(starts[sequence] + place) * leading;
    for (int i = threadIdx.x * 4; i < heads * width; i += blockDim.x * 4) {
        long long head = (long long)sequence * heads + i / width;
        float4 v = inside ? load4(row + i) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        store4(d_o + (head * padded + place) * width + i % width, v);
    }
}
