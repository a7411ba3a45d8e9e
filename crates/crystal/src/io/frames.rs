use crate::CrystalError;

/// Which of `count` structures is meant: the only one, or the one that was picked.
///
/// # Errors
/// [`CrystalError::SeveralStructures`] and [`CrystalError::NoSuchStructure`].
pub(super) fn pick(count: usize, index: Option<usize>) -> Result<usize, CrystalError> {
    match index {
        None if count == 1 => Ok(0),
        None => Err(CrystalError::SeveralStructures { count }),
        Some(index) if index < count => Ok(index),
        Some(index) => Err(CrystalError::NoSuchStructure { index, count }),
    }
}

/// `file.xyz@3` as `file.xyz` and 3.
pub(super) fn split_index(name: &str) -> Option<(&str, usize)> {
    let (file, index) = name.rsplit_once('@')?;
    let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !file.is_empty() && !file.ends_with('/'))
        .then(|| index.parse().ok())
        .flatten()
        .map(|index| (file, index))
}
