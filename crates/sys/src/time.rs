//! The clock of the machine.

/// The present time in UTC, to the second, as it is told in records and results.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
