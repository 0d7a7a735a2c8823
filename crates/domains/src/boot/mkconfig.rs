//! Debian and Ubuntu: a drop-in of ours, then `update-grub`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hftune_model::setting::Artifact;

use super::argument::Argument;
use super::cmdline::{self, Edit};
use super::placed::{Conflict, Placed, overridden, refuse};
use super::{dropin, grub_cfg, grub_default, staged};
use crate::Context;

const DEFAULT_GRUB: &str = "/etc/default/grub";
const DROP_INS: &str = "/etc/default/grub.d";

/// What the files that grub-mkconfig reads add up to.
#[derive(Debug, Default)]
pub struct Template {
    /// Words with their file and line, in the order in which the kernel will see them.
    pub words: Vec<(String, PathBuf, usize)>,
    /// A file after our drop-in that assigns the variable anew, which drops what ours adds.
    pub reset: Option<(PathBuf, usize)>,
}

impl Template {
    /// Reads the files for which `of_interest` holds.
    ///
    /// A file that cannot be followed adds nothing: what it does is seen in the entries once update-grub has run.
    pub fn read(
        files: &BTreeMap<PathBuf, String>,
        of_interest: impl Fn(&Path, &str) -> bool,
    ) -> Self {
        let drop_ins = files.keys().filter(|path| {
            path.parent() == Some(Path::new(DROP_INS))
                && path.extension().is_some_and(|e| e == "cfg")
        });
        let order: Vec<&Path> = std::iter::once(Path::new(DEFAULT_GRUB))
            .chain(drop_ins.map(PathBuf::as_path))
            .collect();
        let mut template = Self::default();
        // grub-mkconfig puts the two variables one after the other (10_linux).
        for variable in ["GRUB_CMDLINE_LINUX", dropin::VARIABLE] {
            let mut words: Vec<(String, PathBuf, usize)> = Vec::new();
            for path in &order {
                let Some(text) = files.get(*path).filter(|_| of_interest(path, variable)) else {
                    continue;
                };
                let text = without_tuned(text);
                for assigned in grub_default::assignments(&text, variable).unwrap_or_default() {
                    let before = std::mem::take(&mut words);
                    let mut before = Some(before).filter(|_| assigned.extends);
                    for token in cmdline::tokens(&assigned.value) {
                        if token
                            .raw
                            .trim_start_matches(['$', '{'])
                            .trim_end_matches('}')
                            == variable
                        {
                            words.extend(before.take().into_iter().flatten());
                        } else {
                            words.push((token.raw.to_owned(), path.to_path_buf(), assigned.line));
                        }
                    }
                    words.extend(before.into_iter().flatten());
                    if variable == dropin::VARIABLE
                        && *path > Path::new(dropin::PATH)
                        && !assigned.extends
                    {
                        template
                            .reset
                            .get_or_insert_with(|| (path.to_path_buf(), assigned.line));
                    }
                }
            }
            template.words.append(&mut words);
        }
        template
    }

    /// The words as one command line.
    pub fn command_line(&self) -> String {
        self.words
            .iter()
            .map(|(word, ..)| word.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The word that decides what `name` is.
    fn effective(&self, name: &str) -> Option<&(String, PathBuf, usize)> {
        let line = self.command_line();
        let tokens = cmdline::tokens(&line);
        let raw = cmdline::effective(&tokens, name)?.raw;
        let mut same = self.words.iter().filter(|(word, ..)| word == raw);
        if cmdline::first_wins(name) {
            same.next()
        } else {
            same.next_back()
        }
    }
}

/// The text without the line by which tuned puts its variable at the end: it is an expansion of the shell that is not
/// followed here. What tuned adds is read in the menu.
fn without_tuned(text: &str) -> String {
    let keep = |line| {
        if str::contains(line, "\\$tuned_params") {
            "\n"
        } else {
            line
        }
    };
    text.split_inclusive('\n').map(keep).collect()
}

/// Where the arguments go.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let ours = Path::new(dropin::PATH);
    let before_ours = Template::read(&loader.files, |path, variable| {
        path != ours
            && (variable != dropin::VARIABLE || path < ours || path == Path::new(DEFAULT_GRUB))
    });
    let mut placed = Placed::default();
    let mut write = Vec::new();
    for argument in wanted {
        let there = before_ours.effective(&argument.name);
        match there.map(|(word, path, line)| (cmdline::tokens(word)[0].value(), word, path, line)) {
            Some((value, ..)) if argument.is(value) => placed.kept.push(argument.clone()),
            Some((_, word, path, line)) if cmdline::first_wins(&argument.name) => {
                let conflict = Conflict {
                    place: format!("{}:{line}", path.display()),
                    word: word.clone(),
                };
                placed.skipped.push(overridden(argument, &[conflict]));
            }
            _ => write.push(argument.clone()),
        }
    }

    let architecture = &cx.host.kernel.architecture;
    let entries = staged::entries(loader);
    let written = loader
        .files
        .get(ours)
        .map(|text| dropin::words(text))
        .unwrap_or_default();
    let template = Template::read(&loader.files, |path, _| path != ours).command_line();
    let with_ours = |text: &str| Edit::new(text, &written, &write).apply(text);
    let staged = entries.iter().map(|entry| {
        let line = entry.command_line(&with_ours(&entry.arguments));
        (entry.place(), line)
    });
    // The menu may be older than the files that it is made from.
    let made = entries.first().map(|entry| {
        let line = entry.command_line(&with_ours(&template));
        (DEFAULT_GRUB.to_owned(), line)
    });
    let too_long = staged.chain(made).find_map(|(place, line)| {
        let why = cmdline::too_long(&line, architecture)?;
        Some(format!("{place}: {why}"))
    });
    if let Some(reason) = too_long {
        placed.skipped.extend(refuse(
            &write,
            &reason,
            Some("take arguments out of /etc/default/grub"),
        ));
        write.clear();
    }

    let reset = Template::read(&loader.files, |_, _| true).reset;
    if let Some((path, line)) = reset.as_ref().filter(|_| !write.is_empty()) {
        placed.warnings.push(format!(
            "{}:{line} assigns {} anew after {}, which drops the boot arguments of hftune",
            path.display(),
            dropin::VARIABLE,
            dropin::PATH
        ));
    }
    let unreadable = cx
        .host
        .unread
        .iter()
        .any(|line| line.contains(staged::GRUB_CFG));
    let lacks = |argument: &Argument| {
        entries.is_empty() || !entries.iter().all(|entry| argument.is_on(&entry.options))
    };
    placed.kept.extend(write.iter().cloned());
    // Where something else drops ours, running the program again and again would not help.
    let stale = reset.is_none() && !unreadable && placed.kept.iter().any(lacks);
    if !write.is_empty() {
        placed.artifacts.push(Artifact::File {
            path: PathBuf::from(dropin::PATH),
            content: dropin::render(&write),
            mode: 0o644,
        });
    }
    if !placed.kept.is_empty() {
        placed.artifacts.push(Artifact::Made {
            program: PathBuf::from("/usr/sbin/update-grub"),
            args: Vec::new(),
            inputs: vec![PathBuf::from(dropin::PATH)],
            // It writes the second, and renames it to the first: a power cut leaves it.
            outputs: vec![
                PathBuf::from(staged::GRUB_CFG),
                PathBuf::from(format!("{}.new", staged::GRUB_CFG)),
            ],
            in_tree: in_tree(cx, &written, &placed.kept, reset.is_some()),
            stale,
        });
    }
    placed
}

/// What update-grub would make of the menu. Where a later file drops what hftune adds, it would take the words of an
/// earlier set-up out; a menu without entries only the program itself can make.
fn in_tree(
    cx: &Context<'_>,
    written: &[String],
    kept: &[Argument],
    dropped: bool,
) -> Vec<(PathBuf, String)> {
    let loader = &cx.host.boot_loader;
    let path = PathBuf::from(staged::GRUB_CFG);
    let Some(text) = loader.files.get(&path) else {
        return Vec::new();
    };
    if staged::entries(loader).is_empty() {
        return Vec::new();
    }
    let wanted = if dropped { &[] } else { kept };
    let content = grub_cfg::edit(text, |arguments| Edit::new(arguments, written, wanted));
    vec![(path, content)]
}
