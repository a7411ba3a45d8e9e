//! What can go wrong on the way to the GPU and on it.

use cudarc::{cublas::result::CublasError, driver::DriverError};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum CudaError {
    /// The library of NVIDIA's driver is not on this machine.
    #[error("no CUDA driver: the library libcuda was not found, so there is no NVIDIA GPU to use")]
    NoDriver,
    /// A library of the CUDA toolkit is not found.
    #[error(
        "the CUDA library lib{name} was not found: install it, or add its folder to LD_LIBRARY_PATH"
    )]
    NoLibrary {
        /// Its name without `lib`.
        name: &'static str,
    },
    /// The driver refused something.
    #[error("CUDA could not {what}: {source}")]
    Driver {
        /// What was asked for.
        what: String,
        /// The driver's code.
        source: DriverError,
    },
    /// cuBLAS refused something.
    #[error("cuBLAS could not {what}: {source}")]
    Blas {
        /// What was asked for.
        what: String,
        /// Its status.
        source: CublasError,
    },
    /// The kernels did not compile.
    #[error("the CUDA kernels did not compile:\n{log}")]
    Compile {
        /// What the compiler said.
        log: String,
    },
    /// A shape or setting that these kernels cannot work with.
    #[error("'{field}' is {found}, expected {expected}")]
    Setting {
        /// Its name.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A batch, or weights, that do not fit the model.
    #[error("{0}")]
    Input(String),
    /// More memory than the GPU has free.
    #[error(
        "a training step takes {needed_gib:.1} GiB of GPU memory, {free_gib:.1} GiB are free: smaller batches need less"
    )]
    Memory {
        /// What is needed.
        needed_gib: f64,
        /// What is free.
        free_gib: f64,
    },
}

impl CudaError {
    pub(crate) fn setting(
        field: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Setting {
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// Names what the driver was asked for.
pub(crate) trait Asked<T> {
    fn asked(self, what: &str) -> Result<T, CudaError>;
}

impl<T> Asked<T> for Result<T, DriverError> {
    fn asked(self, what: &str) -> Result<T, CudaError> {
        self.map_err(|source| CudaError::Driver {
            what: what.to_owned(),
            source,
        })
    }
}

impl<T> Asked<T> for Result<T, CublasError> {
    fn asked(self, what: &str) -> Result<T, CudaError> {
        self.map_err(|source| CudaError::Blas {
            what: what.to_owned(),
            source,
        })
    }
}
