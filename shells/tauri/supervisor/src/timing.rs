//! Timeouts, intervals and limits of the supervisor. All can be set, so that tests run in seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// From the start of the process to its ready line and its first answer on /health.
    #[serde(rename = "start_timeout_ms", deserialize_with = "ms")]
    pub start_timeout: Duration,
    #[serde(rename = "health_interval_ms", deserialize_with = "ms")]
    pub health_interval: Duration,
    #[serde(rename = "health_timeout_ms", deserialize_with = "ms")]
    pub health_timeout: Duration,
    /// After this many missed answers in a row the daemon counts as unresponsive.
    pub health_misses: u32,
    #[serde(rename = "backoff_ms", deserialize_with = "ms")]
    pub backoff: Duration,
    #[serde(rename = "backoff_max_ms", deserialize_with = "ms")]
    pub backoff_max: Duration,
    /// How many times the delay doubles at most.
    pub backoff_doublings: u32,
    /// The random part of the delay: 0.2 is up to 20 % more or less.
    pub backoff_jitter: f64,
    /// After this time without a failure earlier crashes are forgotten.
    #[serde(rename = "healthy_ms", deserialize_with = "ms")]
    pub healthy: Duration,
    /// After this many crashes within `crash_window` the daemon is not started again until a start is requested.
    pub crash_limit: usize,
    #[serde(rename = "crash_window_ms", deserialize_with = "ms")]
    pub crash_window: Duration,
    /// From closing stdin to the end of the process; the daemon needs at most 5 s.
    #[serde(rename = "stop_ms", deserialize_with = "ms")]
    pub stop: Duration,
    /// From SIGTERM to SIGKILL.
    #[serde(rename = "term_ms", deserialize_with = "ms")]
    pub term: Duration,
    /// How long to wait for an earlier daemon that is still stopping over the same data directory.
    #[serde(rename = "busy_ms", deserialize_with = "ms")]
    pub busy: Duration,
    #[serde(rename = "busy_interval_ms", deserialize_with = "ms")]
    pub busy_interval: Duration,
}

fn ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(30),
            health_interval: Duration::from_secs(5),
            health_timeout: Duration::from_secs(2),
            health_misses: 3,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
            backoff_doublings: 5,
            backoff_jitter: 0.2,
            healthy: Duration::from_secs(60),
            crash_limit: 5,
            crash_window: Duration::from_secs(60),
            stop: Duration::from_secs(8),
            term: Duration::from_secs(2),
            busy: Duration::from_secs(8),
            busy_interval: Duration::from_millis(500),
        }
    }
}

impl Timing {
    /// The delay before restart number `attempt`, counted from 0. `chance`: a random number from 0 to 1.
    pub(crate) fn backoff(&self, attempt: u32, chance: f64) -> Duration {
        let doublings = attempt.min(self.backoff_doublings).min(31);
        let whole = self.backoff.saturating_mul(1 << doublings).min(self.backoff_max);
        whole.mul_f64((1.0 + self.backoff_jitter * (2.0 * chance - 1.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_five_times_is_30_s_at_most_and_is_not_the_same_for_all() {
        let timing = Timing::default();
        let middle: Vec<_> = (0..8).map(|attempt| timing.backoff(attempt, 0.5).as_secs()).collect();
        assert_eq!(middle, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(timing.backoff(0, 0.0), Duration::from_millis(800));
        assert_eq!(timing.backoff(0, 1.0), Duration::from_millis(1_200));
    }

    #[test]
    fn what_is_not_set_keeps_its_default() {
        let timing: Timing = serde_json::from_str(r#"{"stop_ms": 10, "crash_limit": 2}"#).expect("read");
        assert_eq!((timing.stop, timing.crash_limit), (Duration::from_millis(10), 2));
        assert_eq!(timing.busy, Timing::default().busy);
    }
}
