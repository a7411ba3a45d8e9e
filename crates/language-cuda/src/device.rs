//! One GPU: its stream, its compiled kernels, its memory.

use std::{cell::RefCell, sync::Arc};

use cudarc::{
    cublas::{self, CudaBlas},
    driver::{
        self, CudaContext, CudaEvent, CudaFunction, CudaSlice, CudaStream, LaunchConfig,
        PushKernelArg, sys::CUevent_flags,
    },
    nvrtc::{self, CompileError, CompileOptions},
};

use crate::{
    CudaError, Part,
    error::Asked,
    kernels::{Kernel, SOURCE},
    memory::{Memory, Plain, bytes_of},
};

/// Bytes that cuBLAS may work in; Hopper's kernels want 32 MiB at least.
const BLAS_BYTES: usize = 64 << 20;

/// What matrices and activations are held in while they are worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Brain floats; sums are f32.
    Bf16,
    /// f32 throughout, for comparison.
    F32,
}

impl Precision {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }
}

/// An opened GPU with the kernels compiled for it.
pub struct Device {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    pub(crate) blas: CudaBlas,
    functions: Vec<CudaFunction>,
    precision: Precision,
    /// Lives as long as `blas`, which works in it.
    _blas_memory: CudaSlice<u8>,
    marks: RefCell<Option<Vec<(Part, CudaEvent)>>>,
}

impl Device {
    /// Opens a GPU by its number.
    ///
    /// # Errors
    /// [`CudaError::NoDriver`] or [`CudaError::NoLibrary`] if a library is missing,
    /// [`CudaError::Driver`] if there is no such GPU, [`CudaError::Compile`] with the compiler's log.
    pub fn open(ordinal: usize, precision: Precision) -> Result<Self, CudaError> {
        check_libraries()?;
        let context = CudaContext::new(ordinal).asked("open the GPU")?;
        // Everything runs on one stream, in order.
        // SAFETY: no other stream is ever made from this context here.
        unsafe { context.disable_event_tracking() };
        let (major, minor) = context
            .compute_capability()
            .asked("tell its compute capability")?;
        if precision == Precision::Bf16 && major < 8 {
            return Err(CudaError::setting(
                "compute capability",
                format!("{major}.{minor}"),
                "8.0 at least for bf16",
            ));
        }
        let mut options = vec![format!("--gpu-architecture=compute_{major}{minor}")];
        if precision == Precision::Bf16 {
            options.push("-DELEMENT_BF16".to_owned());
        }
        let options = CompileOptions {
            options,
            ..CompileOptions::default()
        };
        let program =
            nvrtc::compile_ptx_with_opts(SOURCE, options).map_err(|error| CudaError::Compile {
                log: match error {
                    CompileError::CompileError { log, .. } => log.to_string_lossy().into_owned(),
                    other => other.to_string(),
                },
            })?;
        let module = context.load_module(program).asked("load the kernels")?;
        let functions = Kernel::ALL
            .iter()
            .map(|kernel| module.load_function(kernel.name()).asked(kernel.name()))
            .collect::<Result<_, _>>()?;
        let stream = context.default_stream();
        let blas = CudaBlas::new(stream.clone()).asked("start")?;
        let memory = stream
            .alloc_zeros::<u8>(BLAS_BYTES)
            .asked("give memory to cuBLAS")?;
        let pointer = pointer_of(&memory, &stream);
        // SAFETY: the memory is on this GPU and is kept as long as the handle.
        unsafe {
            cublas::sys::cublasSetWorkspace_v2(*blas.handle(), pointer as *mut _, BLAS_BYTES)
        }
        .result()
        .asked("take memory to work in")?;
        Ok(Self {
            context,
            stream,
            blas,
            functions,
            precision,
            _blas_memory: memory,
            marks: RefCell::new(None),
        })
    }

    /// The GPU's name, and its compute capability.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if the driver does not tell.
    pub fn name(&self) -> Result<String, CudaError> {
        let (major, minor) = self
            .context
            .compute_capability()
            .asked("tell its compute capability")?;
        let name = self.context.name().asked("tell its name")?;
        Ok(format!("{name} ({major}.{minor})"))
    }

    /// Bytes free, and bytes in all.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if the driver does not tell.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.context.mem_get_info().asked("tell its memory")
    }

    /// What matrices are worked with in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// [`CudaError::Driver`] with what went wrong in the kernels since.
    pub fn synchronise(&self) -> Result<(), CudaError> {
        self.stream.synchronize().asked("finish its work")
    }

    /// From here on the parts of the work are marked.
    pub(crate) fn start_profile(&self) {
        *self.marks.borrow_mut() = Some(Vec::new());
    }

    /// Milliseconds that each part took since the start, in the order of [`Part::ALL`].
    pub(crate) fn end_profile(&self) -> Result<[f64; 6], CudaError> {
        // The last mark ends the part before it.
        self.part(Part::Head)?;
        let marks = self.marks.borrow_mut().take().unwrap_or_default();
        self.synchronise()?;
        let mut times = [0.0; 6];
        for pair in marks.windows(2) {
            let taken = pair[0].1.elapsed_ms(&pair[1].1).asked("time a part")?;
            times[pair[0].0 as usize] += f64::from(taken);
        }
        Ok(times)
    }

    /// What follows belongs to this part.
    pub(crate) fn part(&self, part: Part) -> Result<(), CudaError> {
        if let Some(marks) = self.marks.borrow_mut().as_mut() {
            let flags = Some(CUevent_flags::CU_EVENT_DEFAULT);
            marks.push((
                part,
                self.stream.record_event(flags).asked("record an event")?,
            ));
        }
        Ok(())
    }

    /// Zeroed memory for `count` numbers of so many bytes.
    pub(crate) fn zeros(&self, count: usize, element: usize) -> Result<Memory, CudaError> {
        let bytes = (count * element).max(1);
        let what = || {
            format!(
                "give {:.2} GiB of memory",
                bytes as f64 / (1_u64 << 30) as f64
            )
        };
        let slice = self.stream.alloc_zeros::<u8>(bytes).asked(&what())?;
        let pointer = pointer_of(&slice, &self.stream);
        Ok(Memory::new(slice, pointer, element))
    }

    /// Copies `values` to memory from number `first` on.
    pub(crate) fn upload<T: Plain>(
        &self,
        memory: &mut Memory,
        first: usize,
        values: &[T],
    ) -> Result<(), CudaError> {
        let bytes = bytes_of(values);
        let start = first * size_of::<T>();
        let mut view = memory
            .slice
            .try_slice_mut(start..start + bytes.len())
            .ok_or_else(|| CudaError::Input("more values than memory was made for".to_owned()))?;
        self.stream
            .memcpy_htod(bytes, &mut view)
            .asked("copy to the GPU")?;
        // The source is pageable memory of the caller, which may be gone after this.
        self.synchronise()
    }

    /// The first `count` numbers.
    pub(crate) fn download(&self, memory: &Memory, count: usize) -> Result<Vec<f32>, CudaError> {
        let view = memory
            .slice
            .try_slice(..count * 4)
            .ok_or_else(|| CudaError::Input("fewer values than asked for".to_owned()))?;
        let bytes = self.stream.clone_dtoh(&view).asked("copy from the GPU")?;
        self.synchronise()?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }

    /// Sets the first `count` numbers to zero.
    pub(crate) fn clear(&self, memory: &mut Memory, count: usize) -> Result<(), CudaError> {
        let bytes = count * memory.element;
        let mut view = memory
            .slice
            .try_slice_mut(..bytes)
            .ok_or_else(|| CudaError::Input("fewer values than asked for".to_owned()))?;
        self.stream.memset_zeros(&mut view).asked("clear memory")
    }

    /// Starts a kernel on `grid` blocks of `threads` threads.
    pub(crate) fn launch(
        &self,
        kernel: Kernel,
        (columns, rows): (usize, usize),
        threads: usize,
        shared_bytes: usize,
        arguments: &[Argument],
    ) -> Result<(), CudaError> {
        if columns == 0 || rows == 0 {
            return Ok(());
        }
        let mut builder = self.stream.launch_builder(&self.functions[kernel as usize]);
        for argument in arguments {
            match argument {
                Argument::Pointer(value) => builder.arg(value),
                Argument::Int(value) => builder.arg(value),
                Argument::Long(value) => builder.arg(value),
                Argument::Float(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: (columns as u32, rows as u32, 1),
            block_dim: (threads as u32, 1, 1),
            shared_mem_bytes: shared_bytes as u32,
        };
        // SAFETY: the callers in this crate pass what the sources of the kernels take, with memory that
        // lives on this device.
        unsafe { builder.launch(config) }.asked(&format!("start {}", kernel.name()))?;
        Ok(())
    }
}

/// What a kernel takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument {
    Pointer(u64),
    Int(i32),
    Long(i64),
    Float(f32),
}

impl From<&Memory> for Argument {
    fn from(memory: &Memory) -> Self {
        Self::Pointer(memory.at(0))
    }
}

impl From<u64> for Argument {
    fn from(pointer: u64) -> Self {
        Self::Pointer(pointer)
    }
}

impl From<usize> for Argument {
    fn from(value: usize) -> Self {
        Self::Int(value as i32)
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::Long(value)
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

/// The arguments of a kernel, in order; no memory is a null pointer.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => { &[$($crate::device::Argument::from($value)),*] };
}
pub(crate) use arguments;

fn pointer_of(slice: &CudaSlice<u8>, stream: &CudaStream) -> u64 {
    driver::DevicePtr::device_ptr(slice, stream).0
}

/// # Errors
/// [`CudaError::NoDriver`] or [`CudaError::NoLibrary`] for the first library that is missing.
fn check_libraries() -> Result<(), CudaError> {
    // SAFETY: loading NVIDIA's libraries runs their initialisers, which need nothing of us.
    unsafe {
        if !driver::sys::is_culib_present() {
            return Err(CudaError::NoDriver);
        }
        if !nvrtc::sys::is_culib_present() {
            return Err(CudaError::NoLibrary { name: "nvrtc" });
        }
        if !cublas::sys::is_culib_present() {
            return Err(CudaError::NoLibrary { name: "cublas" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Machines without a driver get a named error, others a device or a reason.
    #[test]
    fn a_missing_driver_is_named() {
        // SAFETY: as in `check_libraries`.
        let there = unsafe { driver::sys::is_culib_present() };
        match Device::open(0, Precision::F32) {
            Err(CudaError::NoDriver) => assert!(!there),
            Err(error) => assert!(there, "{error}"),
            Ok(_) => assert!(there),
        }
        assert!(
            CudaError::NoDriver
                .to_string()
                .starts_with("no CUDA driver")
        );
    }
}
