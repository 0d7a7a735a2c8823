//! A real shell for the tests: what is written for `sh` is judged by what `sh` makes of it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The value of a variable after the files were read in turn, as grub-mkconfig does: under `set -e`, with `.`.
/// `None` where it is not set, or where the shell gave up.
pub fn value(files: &[&str], name: &str) -> Option<String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut script = String::from("set -e\n");
    for (i, text) in files.iter().enumerate() {
        let path = dir.path().join(format!("{i}.cfg"));
        write(&path, text);
        let _ = writeln!(script, ". {}", path.display());
    }
    let _ = write!(
        script,
        "[ -n \"${{{name}+set}}\" ] || exit 7\nprintf '%s' \"${name}\"\n"
    );
    let output = run("sh", &["-c", &script]).expect("sh starts");
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).expect("text"))
}

/// The menu that Debian's own script makes of these two files for one kernel; `None` where grub-common is not installed.
pub fn debian_menu(default_grub: &str, drop_in: &str) -> Option<String> {
    const SCRIPT: &str = "/etc/grub.d/10_linux";
    if !Path::new(SCRIPT).exists() {
        return None;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = dir.path().display();
    for (name, text) in [
        ("grub", default_grub),
        ("99-hft.cfg", drop_in),
        ("vmlinuz-6.1.0-18-amd64", ""),
        ("initrd.img-6.1.0-18-amd64", ""),
        (
            "probe",
            "case \"$*\" in *fs_uuid*) echo 4cbb ;; *) echo ext2 ;; esac\n",
        ),
    ] {
        write(&dir.path().join(name), text);
    }
    // The script as it is, but for the places where it looks for kernels and asks for the disk.
    let script = format!(
        "set -e\n. {at}/grub\n. {at}/99-hft.cfg\n\
         export GRUB_CMDLINE_LINUX GRUB_CMDLINE_LINUX_DEFAULT GRUB_DISTRIBUTOR\n\
         export GRUB_DEVICE=/dev/sda1 GRUB_DEVICE_BOOT=/dev/sda1 GRUB_DEVICE_UUID=4cbb GRUB_FS=ext2\n\
         export GRUB_RECOVERY_TITLE='recovery mode' pkgdatadir=/usr/share/grub grub_probe='sh {at}/probe'\n\
         echo '### BEGIN {SCRIPT} ###'\n\
         sed 's#for i in /boot/vmlinu.*; do#for i in {at}/vmlinuz-*; do#' {SCRIPT} >{at}/10_linux\n\
         sh {at}/10_linux\necho '### END {SCRIPT} ###'\n"
    );
    let output = run("sh", &["-c", &script])?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let menu = String::from_utf8(output.stdout).expect("text");
    Some(menu.replace(&at.to_string(), "/boot"))
}

/// Whether GRUB's own parser takes the text; `None` where grub-script-check is not installed.
pub fn grub_takes(text: &str) -> Option<bool> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("grub.cfg");
    write(&path, text);
    let path = path.to_str().expect("text");
    run("grub-script-check", &[path]).map(|output| output.status.success())
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test starts the program that will read what was written"
)]
fn run(program: &str, args: &[&str]) -> Option<std::process::Output> {
    Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .output()
        .ok()
}

/// Writes a file of a test.
#[allow(
    clippy::disallowed_methods,
    reason = "a test prepares its own directory"
)]
pub fn write(path: &Path, text: &str) {
    std::fs::File::create(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("written");
}
