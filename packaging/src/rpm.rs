//! The rpm. Its payload and digests are what the rpm 4.14 of RHEL 8 reads: xz, SHA-256, format 4.

use crate::list::{Entry, Format, What};
use crate::scripts::scripts;
use crate::sources::{DESCRIPTION, LICENCE, MAINTAINER, NAME, SUMMARY, Sources};
use anyhow::Result;
use rpm::{BuildConfig, CompressionWithLevel, FileOptions, PackageBuilder, Scriptlet};

/// As in the deb.
const XZ_PRESET: u32 = 6;

/// Of the old list of groups, what administrators use.
const GROUP: &str = "Applications/System";

/// In place of the name of whatever machine it is built on.
const BUILD_HOST: &str = "hftune.invalid";

/// The release of the packaging: there is no other.
const RELEASE: &str = "1";

/// The name of the file.
pub fn name(sources: &Sources) -> String {
    format!("{NAME}-{}-{RELEASE}.x86_64.rpm", sources.version)
}

/// The bytes of the package.
pub fn package(sources: &Sources, list: &[Entry]) -> Result<Vec<u8>> {
    let config = BuildConfig::v4()
        .compression(CompressionWithLevel::Xz(XZ_PRESET))
        .source_date(sources.time);
    let (first, rest) = SUMMARY.split_at(1);
    let summary = format!("{}{rest}", first.to_uppercase());
    let mut builder = PackageBuilder::new(NAME, &sources.version, LICENCE, "x86_64", &summary);
    builder
        .using_config(config)
        .release(RELEASE)
        .description(DESCRIPTION.join("\n"))
        .group(GROUP)
        .packager(MAINTAINER)
        .build_host(BUILD_HOST)
        .add_changelog_entry(
            format!("{MAINTAINER} - {}-{RELEASE}", sources.version),
            "- What changed is in CHANGELOG.md of /usr/share/doc/hftune.",
            sources.time,
        )
        .pre_uninstall_script(Scriptlet::new(scripts(sources)?.before_removal));
    for entry in list.iter().filter(|entry| entry.is_in(Format::Rpm)) {
        let mode = u16::try_from(entry.mode)?;
        let file = FileOptions::new(&entry.path).permissions(mode);
        match &entry.what {
            What::Folder => {
                builder.with_dir_entry(FileOptions::dir(&entry.path).permissions(mode))?
            }
            What::File(bytes) => builder.with_file_contents(bytes.clone(), file)?,
            What::Doc(bytes) => builder.with_file_contents(bytes.clone(), file.doc())?,
            What::Licence(bytes) => {
                builder.with_file_contents(bytes.clone(), file.license().doc())?
            }
        };
    }
    let mut bytes = Vec::new();
    builder.build()?.write(&mut bytes)?;
    Ok(bytes)
}
