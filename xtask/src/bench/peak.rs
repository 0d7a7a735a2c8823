//! Runs a command and prints the most memory that it held, in KiB. Compiled on its own by `bench/scale.rs`.

/// `struct rusage` of Linux: two times, then the counters, of which the first is the peak (getrusage(2)).
#[repr(C)]
struct Rusage {
    times: [i64; 4],
    peak_kib: i64,
    others: [i64; 13],
}

unsafe extern "C" {
    fn getrusage(who: i32, usage: *mut Rusage) -> i32;
}

const RUSAGE_CHILDREN: i32 = -1;

fn main() {
    let mut words = std::env::args().skip(1);
    let mut command = std::process::Command::new(words.next().expect("a command"));
    command.args(words).stdout(std::process::Stdio::null());
    command.status().expect("start it");
    let mut usage = Rusage { times: [0; 4], peak_kib: 0, others: [0; 13] };
    // SAFETY: the structure is as large as the kernel's and lives through the call.
    assert_eq!(unsafe { getrusage(RUSAGE_CHILDREN, &raw mut usage) }, 0);
    println!("{}", usage.peak_kib);
}
