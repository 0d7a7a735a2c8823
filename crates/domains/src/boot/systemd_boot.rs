//! systemd-boot: the entries on the boot and EFI partitions, and `/etc/kernel/cmdline`, from which `kernel-install` makes
//! the entry, or the unified kernel image, of the next kernel.
//!
//! A unified kernel image carries its command line in its section `.cmdline`. hftune does not edit it: it is signed as a
//! whole, and under Secure Boot systemd-stub takes arguments from nowhere else but signed addons (systemd-stub(7)).

use std::path::Path;

use hftune_model::Result;
use hftune_model::finding::{Proof, Skipped, Verdict};
use hftune_model::host::BootLoader;
use hftune_model::setting::Artifact;
use hftune_sys::Reader;

use super::argument::{Argument, wanted};
use super::by_hand::place_by_hand;
use super::cmdline::{self, Edit};
use super::placed::{
    Conflict, Placed, cannot_edit, holds, line, of_others, overridden, refuse, unread,
};
use super::record::Record;
use super::{bls, kernel_cmdline, proof};
use crate::Context;

/// Where systemd-boot looks for entries: the boot partition, and the EFI partition in each place where it is mounted
/// (systemd-boot(7), bootctl(1)).
pub const ENTRY_DIRECTORIES: [&str; 3] = [
    bls::DIRECTORY,
    "/efi/loader/entries",
    "/boot/efi/loader/entries",
];

/// Whether a file is where boot entries are, GRUB's and systemd-boot's.
pub fn is_entry(path: &Path) -> bool {
    ENTRY_DIRECTORIES
        .iter()
        .any(|directory| path.parent() == Some(Path::new(directory)))
}

/// Where it looks for unified kernel images (Boot Loader Specification, type 2).
pub const UNIFIED_DIRECTORIES: [&str; 3] =
    ["/boot/EFI/Linux", "/efi/EFI/Linux", "/boot/efi/EFI/Linux"];

/// A file that holds boot arguments.
struct Place<'a> {
    /// The file to write.
    path: &'a Path,
    /// Its present content; of a template that is to be made, that of the file in its place.
    file: &'a str,
    /// File and line, for messages.
    shown: String,
    /// Its arguments.
    arguments: String,
    entry: Option<Entry<'a>>,
}

/// What an entry adds to the command line besides its options.
struct Entry<'a> {
    parsed: bls::Entry,
    text: &'a str,
}

impl Place<'_> {
    fn edited(&self, edit: &Edit) -> Result<String> {
        let Some(entry) = &self.entry else {
            return kernel_cmdline::edit(self.file, edit);
        };
        if entry.parsed.line.is_some() || edit.is_empty() {
            return bls::edit(self.file, edit);
        }
        // `options` may be left out; systemd-boot has no default to fall back to, so a line of ours drops nothing.
        let gap = if self.file.is_empty() || self.file.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        Ok(format!("{}{gap}options {}\n", self.file, edit.apply("")))
    }

    /// The command line of an entry with these options: systemd-boot puts `initrd=` for every initrd before them
    /// (src/boot/efi/boot.c).
    fn command_line(&self, options: &str) -> Option<String> {
        let entry = self.entry.as_ref()?;
        let initrds = entry
            .text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("initrd"))
            .map(|path| format!("initrd={} ", path.trim()));
        Some(initrds.collect::<String>() + options)
    }
}

/// The entries that boot a kernel and are not for rescue. An entry without `linux` starts another program.
fn entries(loader: &BootLoader) -> Vec<Place<'_>> {
    let files = loader.files.iter().filter(|(path, _)| is_entry(path));
    let parsed = files.map(|(path, text)| (path, text, bls::parse(path, text)));
    parsed
        .filter(|(_, _, entry)| !entry.rescue && !entry.kernel.is_empty())
        .map(|(path, text, entry)| Place {
            path,
            file: text,
            shown: format!("{}:{}", path.display(), entry.line.unwrap_or(1)),
            arguments: entry.all_options.clone(),
            entry: Some(Entry {
                parsed: entry,
                text,
            }),
        })
        .collect()
}

/// The template of the next kernel's arguments. kernel-install takes `/etc/kernel/cmdline`, an empty one too; else that
/// of the distribution, which ours then replaces; else the running kernel's command line, which has our arguments from
/// the reboot on and needs no file (90-loaderentry.install and, for a unified kernel image, 60-ukify.install, both in
/// src/kernel-install; the second takes no `Cmdline=` of uki.conf).
///
/// `None` too where it is there and cannot be read: what is not known is not replaced.
fn template<'a>(cx: &'a Context<'_>) -> Option<Place<'a>> {
    let loader = &cx.host.boot_loader;
    let path = Path::new(kernel_cmdline::PATH);
    if template_unread(cx).is_some() {
        return None;
    }
    let (shown, file) = [path, Path::new(kernel_cmdline::VENDOR)]
        .into_iter()
        .find_map(|path| loader.files.get_key_value(path))?;
    Some(Place {
        path,
        file,
        shown: format!("{}:1", shown.display()),
        arguments: file.clone(),
        entry: None,
    })
}

/// Why the administrator's template cannot be read, where it is there.
fn template_unread<'a>(cx: &'a Context<'_>) -> Option<&'a str> {
    let mut unread = cx.host.unread.iter().map(String::as_str);
    unread.find(|why| why.contains(kernel_cmdline::PATH))
}

/// The unified kernel image that boots, or would: the one that booted, or all there are where no other entry is.
fn boots_unified(loader: &BootLoader) -> bool {
    loader.unified_booted || !loader.unified.is_empty() && entries(loader).is_empty()
}

/// How to get arguments into a unified kernel image.
fn rebuild(cx: &Context<'_>, words: &str) -> String {
    let release = match cx.host.kernel.release.as_str() {
        "" => "RELEASE",
        release => release,
    };
    let secure = if cx.host.boot_loader.secure_boot == Some(true) {
        "; Secure Boot is on, so either must be signed, and arguments from anywhere else are ignored"
    } else {
        ""
    };
    format!(
        "kernel-install add {release} /usr/lib/modules/{release}/vmlinuz makes the image anew with the arguments in {}; or \
         an addon beside it: ukify build --cmdline='{words}' --output=hftune.addon.efi, copied to loader/addons on the \
         EFI partition{secure}; then reboot",
        kernel_cmdline::PATH
    )
}

/// Where the arguments go.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let ours = Record::of(loader).words;
    let unified = boots_unified(loader);
    let mut holders: Vec<Place<'_>> = Vec::from_iter(template(cx));
    holders.extend(entries(loader));
    if holders.is_empty() {
        return nowhere(cx, wanted, unified);
    }
    let mut placed = Placed::default();
    for argument in wanted {
        let conflicts: Vec<Conflict> = holders
            .iter()
            .filter(|_| cmdline::first_wins(&argument.name))
            .filter_map(|place| {
                let theirs = of_others(&place.arguments, &ours, &argument.name)?;
                (!argument.is(theirs.value())).then(|| Conflict {
                    place: place.shown.clone(),
                    word: theirs.raw.to_owned(),
                })
            })
            .collect();
        if conflicts.is_empty() {
            placed.kept.push(argument.clone());
        } else {
            placed.skipped.push(overridden(argument, &conflicts));
        }
    }
    let too_long = holders.iter().find_map(|place| {
        let options =
            Edit::new(&place.arguments, &ours, &placed.kept).apply(place.arguments.trim_end());
        let line = place.command_line(&options).unwrap_or(options);
        cmdline::too_long(&line, &cx.host.kernel.architecture)
            .map(|why| format!("{}: {why}", place.shown))
    });
    if let Some(why) = too_long {
        let refused = std::mem::take(&mut placed.kept);
        let fix =
            "take arguments out of the options lines of the entries and out of /etc/kernel/cmdline";
        placed.skipped.extend(refuse(&refused, &why, Some(fix)));
        return placed;
    }
    if let Some(why) = template_unread(cx) {
        placed.skipped.push(Skipped {
            id: format!("boot{}", kernel_cmdline::PATH),
            verdict: Verdict::NotPermitted,
            reason: why.to_owned(),
            fix: Some("mend it, so that the next kernel gets its arguments".to_owned()),
        });
    }
    write(cx, &holders, &ours, &mut placed);
    if (unified || !loader.unified.is_empty()) && !placed.kept.is_empty() {
        placed.warnings.push(format!(
            "{} carries its own command line, which hftune does not edit: {}",
            images(loader),
            rebuild(cx, &line(&placed.kept))
        ));
    }
    if !unified && !holders.iter().any(|place| place.entry.is_some()) {
        placed.warnings.push(format!(
            "no boot entry in {} can be read, so the plan leaves them out; run it as root",
            ENTRY_DIRECTORIES.join(", ")
        ));
    }
    placed
}

/// Adds the edited files to `placed`, the record of our words first: after a crash nothing stands in an entry that is not
/// known to be ours.
fn write(cx: &Context<'_>, holders: &[Place<'_>], ours: &[String], placed: &mut Placed) {
    let mut written = ours.to_vec();
    let mut files = Vec::new();
    let mut refused = false;
    for place in holders {
        let edit = Edit::new(&place.arguments, ours, &placed.kept);
        let made_anew = !cx.host.boot_loader.files.contains_key(place.path);
        // A template that would only repeat the distribution's is not made.
        if made_anew && edit.is_empty() {
            continue;
        }
        match place.edited(&edit) {
            Ok(content) => {
                if made_anew {
                    placed.warnings.push(format!(
                        "{} is made from {}, and replaces it from then on",
                        kernel_cmdline::PATH,
                        kernel_cmdline::VENDOR
                    ));
                }
                written.extend(edit.insert);
                files.push(Artifact::File {
                    path: place.path.to_owned(),
                    content,
                    mode: 0o644,
                });
            }
            Err(e) => {
                refused = true;
                placed.skipped.push(cannot_edit(&e.at(place.path)));
            }
        }
    }
    if files.is_empty() && refused {
        let kept = std::mem::take(&mut placed.kept);
        let reason = "no file that holds boot arguments can be edited";
        placed.skipped.extend(refuse(&kept, reason, None));
        return;
    }
    let words = placed.kept.iter().map(ToString::to_string);
    let words: Vec<String> = words.filter(|word| written.contains(word)).collect();
    let loader = &cx.host.boot_loader;
    let record = Record::of(loader).with(words, loader, |word| {
        holders.iter().any(|place| holds(&place.arguments, word))
    });
    placed.artifacts.extend(record.artifact());
    placed.artifacts.append(&mut files);
}

/// There is no file that could be edited.
fn nowhere(cx: &Context<'_>, wanted: &[Argument], unified: bool) -> Placed {
    let loader = &cx.host.boot_loader;
    if unified {
        let why = format!(
            "{} carries its own command line, which hftune does not edit",
            images(loader)
        );
        return place_by_hand(&cx.host.kernel, wanted, &why, |missing| {
            let words = line(missing);
            let running = without_loader_words(&cx.host.kernel.cmdline);
            format!(
                "write {} with: {}; then {}",
                kernel_cmdline::PATH,
                format!("{running} {words}").trim(),
                rebuild(cx, &words)
            )
        });
    }
    let why = format!(
        "systemd-boot boots this machine, and no entry for a kernel can be read in {}",
        ENTRY_DIRECTORIES.join(", ")
    );
    place_by_hand(&cx.host.kernel, wanted, &why, |missing| {
        format!(
            "run it as root; or add to the options line of the entry, and to {}, then reboot: {}",
            kernel_cmdline::PATH,
            line(missing)
        )
    })
}

/// The command line without what the boot loader put there, as kernel-install takes it.
fn without_loader_words(cmdline: &str) -> String {
    let tokens = cmdline::tokens(cmdline);
    let own = tokens
        .iter()
        .filter(|token| !matches!(token.name(), "BOOT_IMAGE" | "initrd"));
    own.map(|token| token.raw).collect::<Vec<_>>().join(" ")
}

fn images(loader: &BootLoader) -> String {
    match loader.unified.as_slice() {
        [] => "the unified kernel image that booted".to_owned(),
        [one] => one.display().to_string(),
        [first, rest @ ..] => format!("{} (and {} more)", first.display(), rest.len()),
    }
}

/// Whether the argument survives the next boot, and how to get it there where `hftune setup` does not. `booted`: whether
/// the running kernel was booted with it.
pub fn saved(
    argument: &Argument,
    booted: bool,
    cx: &Context<'_>,
    reader: &Reader<'_>,
) -> (Proof, Option<String>) {
    let loader = &cx.host.boot_loader;
    let entries = entries(loader);
    let unified = boots_unified(loader);
    if let Some(e) = unread(&ENTRY_DIRECTORIES, "conf", loader, reader) {
        return (proof::failed(&e), None);
    }
    if entries.is_empty() && !unified {
        let why = format!("no entry for a kernel in {}", ENTRY_DIRECTORIES.join(", "));
        return (Proof::Unknown(why), None);
    }
    if let Some(why) = template_unread(cx) {
        return (Proof::Unknown(why.to_owned()), None);
    }
    let places: Vec<(String, String)> = template(cx)
        .into_iter()
        .chain(entries)
        .map(|place| (place.shown, place.arguments))
        .collect();
    let files = proof::judge(argument, &places);
    // The image that booted has it, and the next one gets it from the template.
    if !unified || booted || !matches!(files, Proof::Holds(_)) {
        return (files, None);
    }
    let why = format!(
        "{} carries its own command line, which hftune does not read; the running kernel was booted without the argument",
        images(loader)
    );
    let (all, _) = wanted(cx);
    (Proof::Unknown(why), Some(rebuild(cx, &line(&all))))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_entry_keeps_every_other_line(
            lines in prop::collection::vec("(title|initrd|sort-key|#) [a-z /.-]{0,10}", 0..4),
            options in prop::option::of("[a-z]{1,5}(=[a-z0-9]{0,4})?( [a-z]{1,5}){0,3}"),
            end in "\n?",
        ) {
            let mut text = format!("linux /vmlinuz\n{}", lines.join("\n"));
            if let Some(options) = &options {
                text.extend(["\noptions ", options]);
            }
            text.push_str(&end);
            let mut loader = BootLoader::default();
            let path = PathBuf::from("/efi/loader/entries/a.conf");
            loader.files.insert(path.clone(), text.clone());
            let edit = Edit { remove: Vec::new(), insert: vec!["isolcpus=2-7".to_owned()] };
            let edited = entries(&loader)[0].edited(&edit).unwrap();

            let others = |text: &str| -> Vec<String> {
                text.lines().filter(|l| !l.starts_with("options")).map(str::to_owned).collect()
            };
            prop_assert_eq!(others(&edited), others(&text));
            let found = bls::parse(&path, &edited).all_options;
            let expected = options.map_or_else(String::new, |options| options + " ") + "isolcpus=2-7";
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_running_command_line_is_taken_as_kernel_install_takes_it() {
        assert_eq!(
            without_loader_words("BOOT_IMAGE=/a initrd=\\b root=UUID=1 dyndbg=\"file a.c +p\" ro"),
            "root=UUID=1 dyndbg=\"file a.c +p\" ro"
        );
        assert_eq!(without_loader_words(""), "");
    }
}
