//! Configured, logged, resumable training runs on disk.
