//! The program; what it does is in the library, so that packages can be made of the same command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    hftune_cli::run()
}
