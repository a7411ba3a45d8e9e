//! When a claim is over: the policy alone, without a table, so that any backend can follow it.
//!
//! A claim is a lease. The row says until when it holds; whoever works renews it long before. A
//! worker that has ended, hangs in its own end, or cannot write any more renews nothing, and after
//! the lease its crystal belongs to whoever wants it. At worst a result is then computed twice,
//! and the first one stored stands.
//!
//! Wall clocks are set now and then, so that their word is only the quickest of three: a row that a
//! waiting process has seen unchanged for a whole lease, by its own steady clock, is over too, and so
//! is one that says a time much later than any renewal could have written.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::process_identity::has_ended;

/// How long a claim holds that nobody renews.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// Renewals in the time of a lease: enough that a few may fail or come late.
const RENEWALS: u32 = 6;

/// The times of a store's leases.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseTimes {
    lease: Duration,
}

/// A claim as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedClaim {
    /// Who has it: a process, and which of its claims.
    pub(super) owner: String,
    /// Milliseconds since 1970 until which it holds.
    pub(super) expires_ms: i64,
}

/// Another worker's claim while one waits for it.
#[derive(Debug)]
pub(super) struct Watch {
    seen: RecordedClaim,
    since: Instant,
}

impl LeaseTimes {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease }
    }

    /// Between two renewals.
    pub(super) fn renewal(self) -> Duration {
        self.lease / RENEWALS
    }

    /// What a claim or a renewal made now writes.
    pub(super) fn expires_ms(self) -> i64 {
        now_ms().saturating_add(self.lease_ms())
    }

    /// Whether a claim is free to take over.
    pub(super) fn is_over(self, claim: &RecordedClaim, watched: Duration, now_ms: i64) -> bool {
        self.is_over_at(claim, watched, now_ms) || has_ended(&claim.owner)
    }

    fn is_over_at(self, claim: &RecordedClaim, watched: Duration, now_ms: i64) -> bool {
        let latest = now_ms.saturating_add(2 * self.lease_ms());
        claim.expires_ms <= now_ms || claim.expires_ms > latest || watched >= self.lease
    }

    /// A lease in milliseconds.
    pub(super) fn lease_ms(self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX / 4)
    }
}

impl Watch {
    /// How long the claim has been as it is, in the eyes of the one who waits.
    pub(super) fn look(watch: &mut Option<Self>, claim: &RecordedClaim) -> Duration {
        match watch {
            Some(watch) if watch.seen == *claim => watch.since.elapsed(),
            _ => {
                *watch = Some(Self {
                    seen: claim.clone(),
                    since: Instant::now(),
                });
                Duration::ZERO
            }
        }
    }
}

/// This machine's clock, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(expires_ms: i64) -> RecordedClaim {
        RecordedClaim {
            owner: "somebody".to_owned(),
            expires_ms,
        }
    }

    /// Oracle: the table of cases in the caption, by hand.
    #[test]
    fn a_lease_ends_by_either_clock() {
        let times = LeaseTimes::new(Duration::from_secs(30));
        let now = 1_800_000_000_000;
        let zero = Duration::ZERO;
        for (expires, watched, over) in [
            (now + 1, zero, false),
            (now + 30_000, Duration::from_secs(29), false),
            (now, zero, true),
            (now - 1, zero, true),
            (1, zero, true),
            // Nobody renews it.
            (now + 30_000, Duration::from_secs(30), true),
            // The clock was set back by an hour after the claim.
            (now + 3_600_000, zero, true),
            (i64::MAX, zero, true),
            // Set back by less than a lease: still within reach.
            (now + 45_000, zero, false),
        ] {
            assert_eq!(
                times.is_over_at(&claim(expires), watched, now),
                over,
                "{} {watched:?}",
                expires - now
            );
        }
    }

    #[test]
    fn a_renewed_claim_is_watched_anew() {
        let mut watch = None;
        Watch::look(&mut watch, &claim(1));
        std::thread::sleep(Duration::from_millis(20));
        assert!(Watch::look(&mut watch, &claim(1)) >= Duration::from_millis(20));
        assert_eq!(Watch::look(&mut watch, &claim(2)), Duration::ZERO);
    }
}
