//! The clock of the machine.

/// The present time in seconds since 1970.
pub fn unix() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

/// A time in seconds since 1970 as it is told in records and results.
pub fn utc(seconds: u64) -> String {
    let time = i64::try_from(seconds).map(jiff::Timestamp::from_second);
    time.ok()
        .and_then(Result::ok)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// The present time in UTC, to the second, as it is told in records and results.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
