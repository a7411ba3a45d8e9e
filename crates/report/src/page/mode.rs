/// How a page is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageMode {
    /// A file that opens from disk.
    File,
    /// Served while runs go on; the page looks for this version to change.
    Watched {
        /// Stands for what the folder held.
        version: String,
    },
}
