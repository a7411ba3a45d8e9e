//! The download of an archive.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use ureq::Agent;

use super::limits::too_large;
use crate::PseudopotentialError;

/// Longest wait for a connection or for the head of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for the whole body: the published archive has 58 MB.
const BODY_TIMEOUT: Duration = Duration::from_secs(3600);

/// Streams `url` into the new file `path`.
pub(super) fn download(
    url: &str,
    path: &Path,
    limit: u64,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), PseudopotentialError> {
    let failed = |message: String| PseudopotentialError::Download {
        url: url.to_owned(),
        message,
    };
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(failed("expected an http:// or https:// address".into()));
    }
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(ANSWER_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .timeout_recv_body(Some(BODY_TIMEOUT))
        .user_agent(concat!("crystalgym/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut response = agent
        .get(url)
        .call()
        .map_err(|error| failed(error.to_string()))?;
    let total = response.body().content_length();
    if let Some(total) = total
        && total > limit
    {
        return Err(failed(too_large(total, limit)));
    }
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    let mut file = File::create_new(path).map_err(PseudopotentialError::io(path))?;
    let mut buffer = vec![0; 1 << 16];
    let mut read: u64 = 0;
    loop {
        let count = body
            .read(&mut buffer)
            .map_err(|error| failed(format!("after {read} bytes: {error}")))?;
        if count == 0 {
            break;
        }
        read += count as u64;
        if read > limit {
            return Err(failed(too_large(read, limit)));
        }
        file.write_all(&buffer[..count])
            .map_err(PseudopotentialError::io(path))?;
        progress(read, total);
    }
    match total {
        Some(total) if total != read => Err(failed(format!(
            "the connection ended after {read} of {total} bytes"
        ))),
        _ => Ok(()),
    }
}
