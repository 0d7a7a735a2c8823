//! The entries that the boot loader will offer at the next boot, with the arguments that the kernel will get.

use std::path::{Path, PathBuf};

use hftune_model::host::{BootKind, BootLoader};

use super::{bls, grub_cfg, grubenv, tuned};

/// `/boot/grub/grub.cfg` of Debian and Ubuntu.
pub const GRUB_CFG: &str = "/boot/grub/grub.cfg";

/// An entry that is not for recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The file that holds it.
    pub path: PathBuf,
    /// The line of its arguments, counted from 1.
    pub line: usize,
    /// Its kernel's path as GRUB sees it.
    pub kernel: String,
    /// Its arguments as they stand there.
    pub options: String,
    /// Its arguments, variables of the boot loader replaced.
    pub arguments: String,
}

impl Staged {
    /// The place as messages name it.
    pub fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    /// The command line that the kernel would see with these arguments: GRUB puts the kernel's own path before them.
    pub fn command_line(&self, arguments: &str) -> String {
        format!("BOOT_IMAGE=(hd0,gpt1){} {arguments}", self.kernel)
    }
}

/// All entries that are not for recovery.
pub fn entries(loader: &BootLoader) -> Vec<Staged> {
    if matches!(loader.kind, BootKind::GrubMkconfig | BootKind::Grub2Menu) {
        let Some((path, text)) = menu(loader) else {
            return Vec::new();
        };
        let words = tuned::in_menu(text).unwrap_or_default();
        return grub_cfg::entries(text)
            .into_iter()
            .filter(|entry| !entry.recovery)
            .map(|entry| Staged {
                path: path.to_owned(),
                line: entry.line,
                kernel: entry.kernel,
                arguments: tuned::expand(&entry.arguments, &words),
                options: entry.arguments,
            })
            .collect();
    }
    bls_entries(loader)
        .map(|(path, entry)| Staged {
            path: path.to_owned(),
            line: entry.line.unwrap_or(1),
            kernel: entry.kernel,
            arguments: expand(&entry.options, loader),
            options: entry.options,
        })
        .collect()
}

/// The menu that a program made, where one boots the machine.
pub fn menu(loader: &BootLoader) -> Option<(&Path, &str)> {
    let mut files = loader.files.iter();
    let (path, text) = match loader.kind {
        BootKind::GrubMkconfig => files.find(|(path, _)| path.as_path() == Path::new(GRUB_CFG)),
        BootKind::Grub2Menu => files.find(|(path, _)| {
            path.as_path() != Path::new(GRUB_CFG)
                && path.file_name().is_some_and(|name| name == "grub.cfg")
        }),
        _ => None,
    }?;
    Some((path, text))
}

/// The entries of the Boot Loader Specification that are not for rescue.
pub fn bls_entries(loader: &BootLoader) -> impl Iterator<Item = (&Path, bls::Entry)> {
    loader
        .files
        .iter()
        .filter(|(path, _)| path.starts_with(bls::DIRECTORY))
        .map(|(path, text)| (path.as_path(), bls::parse(path, text)))
        .filter(|(_, entry)| !entry.rescue)
}

/// GRUB's environment block, under the path at which it really is.
pub fn environment(loader: &BootLoader) -> Option<(&Path, &str)> {
    let mut files = loader.files.iter();
    let (path, text) =
        files.find(|(path, _)| path.file_name().is_some_and(|name| name == "grubenv"))?;
    Some((path.as_path(), text.as_str()))
}

/// Puts the values of the environment block in place of `$NAME` and `${NAME}`, as GRUB's blscfg does.
fn expand(options: &str, loader: &BootLoader) -> String {
    let block = environment(loader).map_or("", |(_, text)| text);
    let mut expanded = String::with_capacity(options.len());
    let mut rest = options;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let braced = after.strip_prefix('{');
        let inner = braced.unwrap_or(after);
        let length = inner
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(inner.len());
        expanded.push_str(&grubenv::value(block, &inner[..length]).unwrap_or_default());
        rest = &inner[length..];
        if braced.is_some() {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_environment_in_place() {
        let block = format!(
            "{:#<1024}",
            "# GRUB Environment Block\nkernelopts=root=/dev/sda ro\ntuned_params=skew_tick=1\n"
        );
        let loader = BootLoader {
            kind: BootKind::Bls,
            files: [
                ("/boot/grub2/grubenv", block.as_str()),
                (
                    "/boot/loader/entries/a.conf",
                    "linux /vmlinuz-1\noptions $kernelopts ${tuned_params} $other x\n",
                ),
                (
                    "/boot/loader/entries/a-0-rescue.conf",
                    "linux /vmlinuz-1\noptions $kernelopts\n",
                ),
            ]
            .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
            .into(),
            ..BootLoader::default()
        };
        let found = entries(&loader);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].arguments, "root=/dev/sda ro skew_tick=1  x");
        assert_eq!(found[0].place(), "/boot/loader/entries/a.conf:2");
    }
}
