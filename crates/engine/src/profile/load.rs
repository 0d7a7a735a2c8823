//! From file names to one resolved profile.

use std::path::{Path, PathBuf};

use hftune_model::profile::{Origin, Resolved};
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;
use hftune_sys::write::Metadata;

use super::layer::{self, Layer};
use super::merge::Merged;
use super::overrides;

/// The profile of this host, used where no `--profile` is given.
pub const PROFILE_PATH: &str = "/etc/hftune/profile.toml";

/// The profiles that are part of hftune, with their text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("hft", include_str!("../../../../profiles/hft.toml")),
    ("hft-max", include_str!("../../../../profiles/hft-max.toml")),
];

/// What a file extends that does not say so.
const DEFAULT_BASE: &str = "hft";

/// A profile is a page of text; anything near this size is another file given by mistake.
const MAX_SIZE: usize = 1 << 20;

/// More layers than anyone can keep in mind.
const MAX_LAYERS: usize = 8;

/// More links in a row are a loop, as for the kernel (path_resolution(7) allows 40).
const MAX_LINKS: usize = 40;

/// Where a layer is read.
enum Source<'a> {
    BuiltIn(&'static str, &'static str),
    File(File<'a>),
}

/// A file and its name in messages.
#[derive(Clone)]
struct File<'a> {
    root: &'a Root,
    path: PathBuf,
    shown: PathBuf,
}

/// Loads a profile: `file` if given, or the built-in profile of that name, else [`PROFILE_PATH`] below `root` if it exists, else
/// the built-in `hft`; below it
/// what it extends, above it the `overrides`.
///
/// `file` is a path on the machine that runs hftune, whatever `root` is.
pub fn load(
    root: &Root,
    file: Option<&Path>,
    overrides: &[(String, toml::Value)],
) -> Result<Resolved> {
    if root.is_live() {
        return load_in(root, root, file, overrides);
    }
    load_in(root, &Root::live(), file, overrides)
}

/// The same, where `file` is a path below `files`.
pub fn load_in(
    root: &Root,
    files: &Root,
    file: Option<&Path>,
    overrides: &[(String, toml::Value)],
) -> Result<Resolved> {
    let named = file.and_then(|path| built_in_source(path.to_str()?));
    let top = match (named, file) {
        (Some(built_in), _) => built_in,
        (None, Some(path)) => Source::File(File {
            root: files,
            path: std::path::absolute(path).map_err(|e| Error::io("find it", path, &e))?,
            shown: path.to_owned(),
        }),
        (None, None) if root.exists(PROFILE_PATH) => Source::File(File {
            root,
            path: PROFILE_PATH.into(),
            shown: root.shown(Path::new(PROFILE_PATH)),
        }),
        (None, None) => built_in_source(DEFAULT_BASE).expect("hft is built in"),
    };
    resolve(top, overrides)
}

/// A profile with all that it extends.
fn resolve(top: Source<'_>, overrides: &[(String, toml::Value)]) -> Result<Resolved> {
    let mut merged = Merged::default();
    let mut layers = Vec::new();
    for (layer, origin) in chain(top)?.into_iter().rev() {
        let origin_of = |line| match &origin {
            Origin::File(path, _) => Origin::File(path.clone(), line),
            other => other.clone(),
        };
        // A name and a description are of one file and not of those that extend it.
        merged.forget("name");
        merged.forget("description");
        if let Origin::File(path, _) = &origin {
            let name = name_of(path);
            merged.lay([("name".to_owned(), toml::Value::String(name), origin_of(1))]);
            layers.push(path.display().to_string());
        } else {
            layers.push(origin.to_string());
        }
        merged.lay(
            layer
                .leaves
                .into_iter()
                .map(|leaf| (leaf.key, leaf.value, origin_of(leaf.line))),
        );
    }
    if !overrides.is_empty() {
        let checked = overrides
            .iter()
            .map(|(key, value)| {
                Ok((
                    overrides::checked(key, value)?,
                    value.clone(),
                    Origin::CommandLine,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        merged.lay(checked);
        layers.push(Origin::CommandLine.to_string());
    }
    let (profile, origins) = merged.finish()?;
    Ok(Resolved {
        profile,
        origins,
        layers,
    })
}

/// A profile that is part of hftune, resolved.
pub fn built_in(name: &str) -> Option<Resolved> {
    let top = built_in_source(name)?;
    Some(resolve(top, &[]).expect("the tests load every built-in profile"))
}

/// Whether a word after `--profile` is the name of a profile that is part of hftune, and no file.
pub fn is_built_in(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|name| built_in_text(name).is_some())
}

fn built_in_text(name: &str) -> Option<(&'static str, &'static str)> {
    BUILT_IN.iter().find(|(known, _)| *known == name).copied()
}

fn built_in_source(name: &str) -> Option<Source<'static>> {
    built_in_text(name).map(|(name, text)| Source::BuiltIn(name, text))
}

/// A layer and all that it extends, the top one first. The line of a file's origin is not set yet.
fn chain(top: Source<'_>) -> Result<Vec<(Layer, Origin)>> {
    let mut chain = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut next = Some(top);
    while let Some(source) = next.take() {
        match source {
            Source::BuiltIn(name, text) => {
                let layer = layer::parse(text, Path::new(name))?;
                next = layer
                    .extends
                    .as_ref()
                    .and_then(|(base, _)| built_in_source(base));
                chain.push((layer, Origin::BuiltIn(name)));
            }
            Source::File(file) => {
                let (text, real) = read(&file)?;
                let layer = layer::parse(&text, &file.shown)?;
                seen.push(real);
                next = Some(base_of(&layer, &file, &seen)?);
                chain.push((layer, Origin::File(file.shown, 0)));
            }
        }
    }
    Ok(chain)
}

/// What the layer in `file` extends. `seen` are the files of the chain so far.
fn base_of<'a>(layer: &Layer, file: &File<'a>, seen: &[PathBuf]) -> Result<Source<'a>> {
    let Some((base, line)) = &layer.extends else {
        return Ok(built_in_source(DEFAULT_BASE).expect("hft is built in"));
    };
    let fail = |what: String| Error::invalid(what).at(&file.shown).line(*line);
    if let Some(source) = built_in_source(base) {
        return Ok(source);
    }
    if !base.contains('/')
        && Path::new(base)
            .extension()
            .is_none_or(|kind| kind != "toml")
    {
        let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        return Err(fail(format!(
            "{base:?} is not a built-in profile: expected {} or the path of a file",
            names.join(", ")
        ))
        .hint(format!(
            "for a file beside this one write extends = \"{base}.toml\""
        )));
    }
    let beside = |path: &Path| path.parent().unwrap_or(Path::new("")).join(base);
    let base = File {
        root: file.root,
        path: beside(&file.path),
        shown: plain(&beside(&file.shown)),
    };
    let shown = base.shown.display();
    let (_, real) = real_file(&base).map_err(|e| match e.kind {
        Kind::Missing => fail(format!("it extends {shown}, which does not exist")),
        _ => e,
    })?;
    if seen.contains(&real) {
        return Err(fail(format!("it extends {shown}, which leads back to it"))
            .hint("remove one of the extends lines"));
    }
    if seen.len() >= MAX_LAYERS {
        return Err(fail(format!(
            "more than {MAX_LAYERS} profiles extend one another"
        )));
    }
    Ok(Source::File(base))
}

/// Follows links to a regular file; what it is and its real path.
fn real_file(file: &File<'_>) -> Result<(Metadata, PathBuf)> {
    let mut real = file.path.clone();
    for _ in 0..MAX_LINKS {
        if let Some(target) = file.root.link_target(&real) {
            real = real.parent().unwrap_or(Path::new("/")).join(target);
            continue;
        }
        return match file.root.metadata(&real).map_err(|e| e.at(&file.shown))? {
            Some(metadata) => Ok((metadata, plain(&real))),
            None => Err(Error::new(Kind::Missing, "there is no such file")
                .at(&file.shown)
                .hint("hftune profile new prints one to start from")),
        };
    }
    Err(Error::invalid("its symbolic links lead in a circle").at(&file.shown))
}

/// A path without `.` and `..`, to tell files apart.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
        plain
    })
}

/// The text of a profile and the path of the file that it is in.
fn read(file: &File<'_>) -> Result<(String, PathBuf)> {
    let (metadata, real) = real_file(file)?;
    let (caller, _) = hftune_sys::identity::owner();
    // In a tree the owner is whoever unpacked it, and says nothing about the machine.
    if file.root.is_live() && ![0, caller].contains(&metadata.uid) {
        return Err(
            Error::invalid("it belongs to another user, and what it says is done as root")
                .at(&file.shown)
                .hint(format!("chown root {}", file.shown.display())),
        );
    }
    if file.root.is_live() && metadata.mode & 0o022 != 0 {
        return Err(Error::invalid(
            "others than its owner may change it, and what it says is done as root",
        )
        .at(&file.shown)
        .hint(format!("chmod go-w {}", file.shown.display())));
    }
    let text = file.root.read_text(&real).map_err(|e| e.at(&file.shown))?;
    if text.len() > MAX_SIZE {
        return Err(Error::invalid(format!(
            "it has {} KiB; a profile has at most 1024",
            text.len() >> 10
        ))
        .at(&file.shown));
    }
    Ok((text, real))
}

/// The name of a profile that does not say it: that of its file.
fn name_of(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let name: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    if name.is_empty() {
        "profile".to_owned()
    } else {
        name
    }
}
