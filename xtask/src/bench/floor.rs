//! The floor of `cargo xtask bench verify`: reads the files and lists the directories that a file names, and does
//! nothing with them. Compiled on its own by `bench/verify.rs`.

use std::io::Read as _;

fn main() {
    let list = std::env::args().nth(1).expect("the file that names the files");
    let list = std::fs::read_to_string(list).expect("read the list");
    let mut buffer = Vec::with_capacity(1 << 20);
    for path in list.lines() {
        let Ok(mut file) = std::fs::File::open(path) else { continue };
        buffer.clear();
        if file.read_to_end(&mut buffer).is_err()
            && let Ok(entries) = std::fs::read_dir(path)
        {
            entries.for_each(drop);
        }
    }
}
