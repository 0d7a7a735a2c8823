//! Machines that boot an image: ostree and bootc.
//!
//! A machine that runs has deployments, each with an entry in `/boot/loader/entries` that ostree writes. The arguments of
//! the next deployment are changed by `rpm-ostree kargs`, which makes a new deployment and never changes an old one
//! (rpm-ostree(1)); that one is staged, and has no entry before the shutdown (ostree-admin-finalize-staged(1)). Later
//! deployments take the arguments over.
//!
//! An image that is being built has a directory for arguments, `/usr/lib/bootc/kargs.d` (bootc, "Kernel arguments":
//! docs/src/building/kernel-arguments.md). bootc applies what differs between the files of the old and the new image and
//! keeps what was set on the machine.

use std::path::{Path, PathBuf};

use hftune_model::finding::{Proof, Proofs, Verdict};
use hftune_model::host::{BootLoader, Kernel};
use hftune_model::setting::{Artifact, argument_options};
use hftune_model::{Error, Result};
use hftune_sys::Reader;

use super::argument::{Argument, skip};
use super::by_hand::place_by_hand;
use super::cmdline::{self, Edit};
use super::placed::{
    Conflict, Placed, cannot_edit, holds, line, of_others, overridden, refuse, unread,
};
use super::record::Record;
use super::{bls, proof};
use crate::Context;

/// The program that changes the arguments of the next deployment.
pub const RPM_OSTREE: &str = "/usr/bin/rpm-ostree";

/// Where an image keeps its arguments.
pub const KARGS_D: &str = "/usr/lib/bootc/kargs.d";

/// Ours among them.
const OURS: &str = "/usr/lib/bootc/kargs.d/50-hftune.toml";

/// The deployment that boots next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextDeployment {
    /// Where its arguments were read, as messages name it.
    pub place: String,
    /// Its kernel as the boot loader sees it; empty while it is staged.
    kernel: String,
    /// Its arguments.
    arguments: String,
}

impl NextDeployment {
    /// Whether its kernel gets this very word.
    pub fn has(&self, word: &str) -> bool {
        holds(&self.arguments, word)
    }
}

/// The deployment that boots next: the one that is staged, else that of the entry with the highest `version`, which
/// ostree counts up towards the default (`ostree_sysroot_write_deployments()` in src/libostree/ostree-sysroot-deploy.c).
pub fn next_deployment(loader: &BootLoader) -> Option<NextDeployment> {
    if loader.next_unread.is_some() {
        return None;
    }
    if let Some(arguments) = &loader.staged {
        return Some(NextDeployment {
            place: "the deployment that is staged for the next boot".to_owned(),
            kernel: String::new(),
            arguments: arguments.clone(),
        });
    }
    let version = |text: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("version ")?.trim().parse::<u32>().ok())
    };
    let (path, text) = loader
        .files
        .iter()
        .filter(|(path, _)| path.starts_with(bls::DIRECTORY))
        .filter(|(path, _)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("ostree-")
        })
        .max_by_key(|(_, text)| version(text))?;
    let entry = bls::parse(path, text);
    Some(NextDeployment {
        place: format!("{}:{}", path.display(), entry.line.unwrap_or(1)),
        kernel: entry.kernel,
        arguments: entry.options,
    })
}

/// Where the arguments of a booted machine go: to `rpm-ostree kargs`.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let owned = "ostree owns the boot entries of this machine";
    if !loader.rpm_ostree {
        let why = format!("{owned}, and there is no {RPM_OSTREE} to change them");
        return place_by_hand(&cx.host.kernel, wanted, &why, |missing| {
            let options: Vec<String> = missing
                .iter()
                .map(|argument| format!("--append-if-missing={argument}"))
                .collect();
            format!(
                "add to the arguments of the image ({OURS}: kargs = [...]) or of this machine (ostree admin kargs \
                 edit-in-place {}), then reboot: {}",
                options.join(" "),
                line(missing)
            )
        });
    }
    let Some(next) = next_deployment(loader) else {
        let why = format!("{owned}, and that of the next deployment cannot be read");
        return place_by_hand(&cx.host.kernel, wanted, &why, |missing| {
            let words: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let options = argument_options(&words, &[]).join(" ");
            format!("run it as root; or run rpm-ostree {options}, then reboot")
        });
    };

    let ours = Record::of(loader).words;
    let mut placed = Placed::default();
    let mut add = Vec::new();
    for argument in wanted {
        let word = argument.to_string();
        match of_others(&next.arguments, &ours, &argument.name) {
            Some(theirs) if argument.is(theirs.value()) => placed.kept.push(argument.clone()),
            // A word that is there already is not added again, so that another which wins over it goes on winning.
            Some(theirs)
                if cmdline::first_wins(&argument.name)
                    || next.has(&word) && !ours.contains(&word) =>
            {
                let conflict = Conflict {
                    place: next.place.clone(),
                    word: theirs.raw.to_owned(),
                };
                let mut skipped = overridden(argument, &[conflict]);
                skipped.fix = Some(format!(
                    "rpm-ostree kargs --delete={}, then run hftune setup",
                    theirs.raw
                ));
                placed.skipped.push(skipped);
            }
            _ => {
                placed.kept.push(argument.clone());
                add.push(word);
            }
        }
    }
    let remove: Vec<String> = ours
        .into_iter()
        .filter(|word| !add.contains(word) && next.has(word))
        .collect();
    let edit = Edit {
        remove: remove.clone(),
        insert: add.iter().filter(|word| !next.has(word)).cloned().collect(),
    };
    if let Some(why) = cmdline::too_long(
        &command_line(&next, &edit, cx),
        &cx.host.kernel.architecture,
    ) {
        let refused = std::mem::take(&mut placed.kept);
        let fix = "take arguments out with rpm-ostree kargs --delete=...";
        placed.skipped.extend(refuse(&refused, &why, Some(fix)));
        return placed;
    }
    if !add.is_empty() {
        // Entries are ostree's own: none is edited, then or later.
        let none = BootLoader::default();
        let record = Record::of(loader).with(add.clone(), &none, |word| next.has(word));
        placed.artifacts.extend(record.artifact());
    }
    if !add.is_empty() || !remove.is_empty() {
        placed.artifacts.push(Artifact::Arguments {
            program: PathBuf::from(RPM_OSTREE),
            add,
            remove,
        });
    }
    placed
}

/// What the kernel would see. ostree adds the name of the deployment, and GRUB the kernel's path; both are about as long
/// as those of the running kernel.
fn command_line(next: &NextDeployment, edit: &Edit, cx: &Context<'_>) -> String {
    let running = cmdline::tokens(&cx.host.kernel.cmdline);
    let word = |name: &str| {
        running
            .iter()
            .find(|token| token.name() == name)
            .map_or("", |token| token.raw)
    };
    let image = if next.kernel.is_empty() {
        word("BOOT_IMAGE").to_owned()
    } else {
        format!("BOOT_IMAGE=(hd0,gpt3){}", next.kernel)
    };
    let deployment = if cmdline::find(&next.arguments, "ostree").is_some() {
        ""
    } else {
        word("ostree")
    };
    format!("{image} {} {deployment}", edit.apply(&next.arguments))
}

/// Whether the next deployment has the argument, and with it those that follow.
pub fn saved(argument: &Argument, cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    let loader = &cx.host.boot_loader;
    if let Some(next) = next_deployment(loader) {
        return proof::judge(argument, &[(next.place, next.arguments)]);
    }
    if let Some(why) = &loader.next_unread {
        return Proof::Unknown(why.clone());
    }
    unread(&[bls::DIRECTORY], "conf", loader, reader).map_or_else(
        || Proof::Unknown(format!("{} has no entry of ostree", bls::DIRECTORY)),
        |e| proof::failed(&e),
    )
}

/// The keys of a file of `kargs.d`: bootc knows no others (crates/lib/src/bootc_kargs.rs).
const KEYS: [&str; 2] = ["kargs", "match-architectures"];

/// A file of `kargs.d`.
struct KargsFile<'a> {
    path: &'a Path,
    text: &'a str,
    words: Vec<String>,
}

impl<'a> KargsFile<'a> {
    /// Reads `kargs`, an array of strings, and `match-architectures`, which names those of Rust. A file for another
    /// architecture adds nothing.
    fn parse(path: &'a Path, text: &'a str, architecture: &str) -> Result<Self> {
        let invalid = |what: String| {
            Error::invalid(format!("{what}, so bootc refuses it"))
                .at(path)
                .hint("see \"Kernel arguments\" in the documentation of bootc")
        };
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| invalid(e.message().to_owned()))?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(invalid(format!("\"{key}\" is no key of such a file")));
        }
        let strings = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_array()
                .and_then(|array| {
                    array
                        .iter()
                        .map(|v| v.as_str().map(str::to_owned))
                        .collect()
                })
                .map(Some)
                .ok_or_else(|| invalid(format!("{key} is not an array of strings"))),
        };
        let words: Vec<String> =
            strings("kargs")?.ok_or_else(|| invalid("it has no kargs".to_owned()))?;
        let architectures: Option<Vec<String>> = strings("match-architectures")?;
        let applies = architectures
            .is_none_or(|names| architecture.is_empty() || names.iter().any(|n| n == architecture));
        Ok(Self {
            path,
            text,
            words: if applies { words } else { Vec::new() },
        })
    }

    /// The file and the line that holds the word.
    fn place(&self, word: &str) -> String {
        match self.text.lines().position(|line| line.contains(word)) {
            Some(line) => format!("{}:{}", self.path.display(), line + 1),
            None => self.path.display().to_string(),
        }
    }
}

/// The files in the order in which bootc reads them.
fn kargs_files<'a>(cx: &'a Context<'_>) -> Vec<Result<KargsFile<'a>>> {
    cx.host
        .boot_loader
        .files
        .iter()
        .filter(|(path, _)| path.parent() == Some(Path::new(KARGS_D)))
        .map(|(path, text)| KargsFile::parse(path, text, &cx.host.kernel.architecture))
        .collect()
}

/// The argument of another file that wins over one of ours: an earlier one where the first wins, else a later one.
fn conflict(files: &[KargsFile<'_>], argument: &Argument) -> Option<Conflict> {
    let first_wins = cmdline::first_wins(&argument.name);
    let ours = Path::new(OURS);
    let winners = files.iter().filter(|file| {
        if first_wins {
            file.path < ours
        } else {
            file.path > ours
        }
    });
    let mut found = winners.flat_map(|file| {
        let conflicts = file.words.iter().filter(|word| {
            let token = &cmdline::tokens(word)[..];
            cmdline::effective(token, &argument.name).is_some_and(|t| !argument.is(t.value()))
        });
        conflicts.map(|word| Conflict {
            place: file.place(word),
            word: word.clone(),
        })
    });
    if first_wins {
        found.next()
    } else {
        found.last()
    }
}

/// The text of our file.
fn render(arguments: &[Argument]) -> String {
    let words: Vec<String> = arguments
        .iter()
        .map(|argument| format!("    {},\n", toml::Value::String(argument.to_string())))
        .collect();
    format!(
        "# Written by hftune, which owns this file: \"hftune setup\" writes it anew, \"hftune rollback\" removes it.\n\
         kargs = [\n{}]\n",
        words.concat()
    )
}

/// Where the arguments of an image that is being built go: to a file of our own.
pub fn place_in_image(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    if !cx.host.boot_loader.bootc {
        let why = "this is the tree of an ostree image without bootc, so nothing would apply arguments in it";
        return place_by_hand(&Kernel::default(), wanted, why, |missing| {
            let words: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let options = argument_options(&words, &[]).join(" ");
            format!("on the machine that boots it: rpm-ostree {options}, then reboot")
        });
    }
    let mut placed = Placed::default();
    let mut others = Vec::new();
    for file in kargs_files(cx) {
        match file {
            Ok(file) if file.path == Path::new(OURS) => {}
            Ok(file) => others.push(file),
            Err(e) if e.path.as_deref() == Some(Path::new(OURS)) => {}
            Err(e) => placed.skipped.push(cannot_edit(&e)),
        }
    }
    let theirs: Vec<String> = others.iter().flat_map(|file| file.words.clone()).collect();
    let theirs = theirs.join(" ");
    let mut write = Vec::new();
    for argument in wanted {
        match conflict(&others, argument) {
            Some(conflict) if cmdline::first_wins(&argument.name) => {
                placed.skipped.push(overridden(argument, &[conflict]));
            }
            Some(Conflict { place, word }) => placed.skipped.push(skip(
                &argument.name,
                Verdict::Overridden,
                format!("{word} at {place} comes later, and the kernel takes the last"),
                Some(format!("take {word} out of {place}, then run hftune setup")),
            )),
            None => {
                placed.kept.push(argument.clone());
                if !argument.is_on(&theirs) {
                    write.push(argument.clone());
                }
            }
        }
    }
    if let Some(why) = cmdline::too_long(
        &format!("{theirs} {}", line(&write)),
        &cx.host.kernel.architecture,
    ) {
        let refused = std::mem::take(&mut placed.kept);
        let fix = format!("take arguments out of the files in {KARGS_D}");
        placed.skipped.extend(refuse(&refused, &why, Some(&fix)));
        return placed;
    }
    if write.iter().any(|argument| argument.cpus().is_some()) {
        placed.warnings.push(format!(
            "{OURS} names CPUs as they are numbered here: every machine that boots this image gets the same list"
        ));
    }
    if !write.is_empty() {
        placed.artifacts.push(Artifact::File {
            path: PathBuf::from(OURS),
            content: render(&write),
            mode: 0o644,
        });
    }
    placed
}

/// The proofs in an image that is being built. The kernel that runs is that of the machine that builds it, so nothing is
/// read of it.
pub fn prove_in_image(argument: &Argument, cx: &Context<'_>, reader: &Reader<'_>) -> Proofs {
    let none = Proof::None("the image is not booted".to_owned());
    Proofs {
        saved: unread(&[KARGS_D], "toml", &cx.host.boot_loader, reader)
            .map_or_else(|| saved_in_image(argument, cx), |e| proof::failed(&e)),
        live: Proof::Pending(
            String::new(),
            "in the image; a machine has it once it boots this image".to_owned(),
        ),
        effect: none,
        fix: None,
    }
}

fn saved_in_image(argument: &Argument, cx: &Context<'_>) -> Proof {
    let mut words = Vec::new();
    for file in kargs_files(cx) {
        match file {
            Ok(file) => words.extend(file.words),
            Err(e) => return Proof::Unknown(e.to_string()),
        }
    }
    proof::judge(argument, &[(KARGS_D.to_owned(), words.join(" "))])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loader(files: &[(&str, &str)]) -> BootLoader {
        let text = |(path, text): &(&str, &str)| (PathBuf::from(path), (*text).to_owned());
        BootLoader {
            files: files.iter().map(text).collect(),
            ..BootLoader::default()
        }
    }

    #[test]
    fn the_highest_version_boots_next() {
        let found = next_deployment(&loader(&[
            // Sorted as text, 10 comes before 9; and a file of another program is none of ostree's.
            (
                "/boot/loader/entries/ostree-10-x.conf",
                "version 10\noptions a=10\n",
            ),
            (
                "/boot/loader/entries/ostree-9-x.conf",
                "version 9\noptions a=9\n",
            ),
            ("/boot/loader/entries/zz.conf", "version 99\noptions a=99\n"),
        ]));
        let found = found.expect("a deployment");
        assert_eq!(found.place, "/boot/loader/entries/ostree-10-x.conf:2");
        assert!(found.has("a=10") && !found.has("a=1"));
        assert_eq!(next_deployment(&loader(&[])), None);
        let damaged = loader(&[("/boot/loader/entries/ostree-1-x.conf", "\u{1}\n")]);
        assert!(!next_deployment(&damaged).expect("an entry").has("a"));
    }

    proptest! {
        #[test]
        fn bootc_reads_the_words_that_were_meant(
            arguments in prop::collection::vec(("[a-z_.]{1,10}", "[ -~]{0,12}"), 0..5)
        ) {
            let arguments: Vec<Argument> = arguments
                .iter()
                .map(|(name, value)| Argument::new(name, Some(value)))
                .collect();
            let text = render(&arguments);
            let file = KargsFile::parse(Path::new(OURS), &text, "x86_64").unwrap();
            let words: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            prop_assert_eq!(file.words, words);
        }

        #[test]
        fn never_panics(text in "(\\PC|\n|kargs|=|\\[|\\]|\"|match-architectures){0,40}") {
            if let Ok(file) = KargsFile::parse(Path::new("x.toml"), &text, "") {
                for word in &file.words {
                    let _ = file.place(word);
                }
            }
            let entry = loader(&[("/boot/loader/entries/ostree-1.conf", text.as_str())]);
            let _ = next_deployment(&entry);
        }
    }
}
