//! Transparent huge pages: `enabled`, `defrag`, and the unit that sets them at every boot.

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_sys::Reader;

use crate::unit::{Run, Service};
use crate::{Context, Desired, Domain};

/// The one instance.
#[derive(Debug)]
pub struct Thp;

const DIRECTORY: &str = "/sys/kernel/mm/transparent_hugepage";

/// Sets THP at boot, before anything that allocates much memory.
pub const SERVICE: Service<'static> = Service {
    name: "disable-thp.service",
    description: "Transparent huge pages as the hftune profile wants them",
    order: &[
        "DefaultDependencies=no",
        "After=local-fs.target systemd-tmpfiles-setup.service",
        "Before=basic.target shutdown.target",
        "Conflicts=shutdown.target",
    ],
    command: "live thp",
    run: Run::Once { then: None },
    wanted_by: "basic.target",
};

const DOCS: &[Doc] = &[
    Doc {
        id: "thp/enabled",
        what: "Whether the kernel backs ordinary memory with 2 MiB pages behind the application's back.",
        why: "Building and splitting such pages stalls the thread that touches the memory, and khugepaged interrupts \
              every CPU, isolated ones too, while it collapses pages.",
        trade_off: "Programs that profit from THP without asking lose it; explicit huge pages (hugepages/*) stay.",
        read: "saved: disable-thp.service and its link; live and effect: the word in brackets in \
               /sys/kernel/mm/transparent_hugepage/enabled.",
        source: "Linux Documentation/admin-guide/mm/transhuge.rst; mm/khugepaged.c",
    },
    Doc {
        id: "thp/defrag",
        what: "Whether a page fault may stop to compact memory in order to get a huge page.",
        why: "Direct compaction stalls a thread for milliseconds at its first touch of memory.",
        trade_off: "None while thp/enabled is never; defrag=never alone would still allow huge pages.",
        read: "saved: disable-thp.service and its link; live and effect: the word in brackets in \
               /sys/kernel/mm/transparent_hugepage/defrag.",
        source: "Linux Documentation/admin-guide/mm/transhuge.rst",
    },
];

impl Domain for Thp {
    fn name(&self) -> &'static str {
        "thp"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        let wanted = [
            ("enabled", cx.profile.thp.enabled.word()),
            ("defrag", cx.profile.thp.defrag.word()),
        ];
        for (doc, (file, word)) in DOCS.iter().zip(wanted) {
            let Some(word) = word else { continue };
            if cx.host.kernel.config.get("TRANSPARENT_HUGEPAGE") == Some(&false) {
                desired.skipped.push(Skipped::not_applicable(
                    doc.id,
                    "this kernel is built without transparent huge pages",
                ));
                continue;
            }
            let mut artifacts = vec![Artifact::Kernel {
                path: format!("{DIRECTORY}/{file}").into(),
                value: word.to_owned(),
                compare: Compare::Bracketed,
            }];
            artifacts.extend(SERVICE.artifacts(cx));
            desired.settings.push(Setting {
                id: doc.id.to_owned(),
                desired: word.to_owned(),
                when: When::Now,
                doc,
                note: None,
                artifacts,
            });
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let file = setting.id.trim_start_matches("thp/");
        let path = format!("{DIRECTORY}/{file}");
        let live = match reader.value(&path) {
            Ok(Some(text)) => {
                let word = Compare::Bracketed.value(&text);
                Proof::of(word == setting.desired, word)
            }
            Ok(None) => Proof::Unknown(format!("{path} does not exist")),
            Err(e) => Proof::Unknown(e.to_string()),
        };
        Ok(Proofs {
            saved: SERVICE.saved(cx, reader),
            effect: live.clone(),
            live,
            fix: None,
        })
    }
}
