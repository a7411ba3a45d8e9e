//! Memory of the GPU.

use cudarc::driver::CudaSlice;

/// Memory for numbers of one size. All work on it runs on one stream, in order, so that its address may
/// be handed to kernels as it is.
pub(crate) struct Memory {
    pub(crate) slice: CudaSlice<u8>,
    pointer: u64,
    /// Bytes of a number.
    pub(crate) element: usize,
}

impl Memory {
    pub(crate) fn new(slice: CudaSlice<u8>, pointer: u64, element: usize) -> Self {
        Self {
            slice,
            pointer,
            element,
        }
    }

    /// Address of a number.
    pub(crate) fn at(&self, index: usize) -> u64 {
        self.pointer + (index * self.element) as u64
    }
}

/// Numbers whose bytes can be copied as they are.
pub(crate) trait Plain: Copy {}
impl Plain for i8 {}
impl Plain for u16 {}
impl Plain for i32 {}
impl Plain for f32 {}

pub(crate) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: these types have no padding, and any byte may be read as u8.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}
