//! What starts applications: the launcher under the name that operators know, and the unit.

use std::fmt::Write as _;

use hftune_model::finding::{Proof, Proofs};
use hftune_model::setting::{Artifact, Setting, When};
use hftune_sys::Reader;

use super::{docs, file_proof};
use crate::nic::chosen;
use crate::unit::{HEADER, UNITS, escape};
use crate::{Context, Desired};

/// The unit, a template.
pub const UNIT: &str = "vma-app@.service";

pub(super) const LAUNCHER: &str = "/usr/local/bin/run-with-vma.sh";

/// The most open files of an application: libvma's tables are as large as this limit, 50 MB at a million.
const OPEN_FILES: u32 = 65536;

fn launcher(cx: &Context<'_>) -> String {
    format!(
        "#!/bin/sh\n{HEADER}\
         # run-with-vma.sh APP ARGS...: VMA_CORES chooses the CPUs, VMA_PRIORITY the priority; other VMA_ variables reach libvma.\n\
         cores=${{VMA_CORES:-auto}}\n\
         priority=${{VMA_PRIORITY:-49}}\n\
         # libvma knows no such parameters.\n\
         unset VMA_CORES VMA_PRIORITY\n\
         exec {} run --vma --cpus \"$cores\" --priority \"$priority\" -- \"$@\"\n",
        cx.binary.display()
    )
}

/// The unit: what it comes after, what it runs, and how little of the system it may touch.
fn unit(cx: &Context<'_>) -> String {
    let profile = &cx.profile.vma;
    let applications = escape(&profile.applications);
    let ports: Vec<String> = chosen(cx)
        .map(|port| crate::nic::unit_name(&port.name))
        .collect();
    let user = if profile.user.is_empty() {
        "DynamicUser=yes".to_owned()
    } else {
        format!("User={}", profile.user)
    };
    let mut after = "network-online.target systemd-sysctl.service disable-thp.service cpu-performance.service irq-affinity.service"
        .to_owned();
    for port in &ports {
        let _ = write!(after, " {port}");
    }
    format!(
        "{HEADER}\
         [Unit]\n\
         Description=Trading application %i on isolated CPUs, with libvma\n\
         Wants=network-online.target\n\
         After={after}\n\
         AssertFileIsExecutable={applications}/%i\n\
         StartLimitIntervalSec=60\n\
         StartLimitBurst=5\n\
         \n\
         [Service]\n\
         Type=exec\n\
         # Of an instance's own: /etc/hftune/vma-app-NAME.env, or a drop-in.\n\
         Environment=HFT_CPUS=auto HFT_PRIORITY=49 HFT_VMA=--vma HFT_ARGS=\n\
         Environment=VMA_STATS_SHMEM_DIR=/run/vma-app/%i VMA_VMAD_NOTIFY_DIR=/run/vma-app/%i\n\
         EnvironmentFile=-/etc/hftune/vma-app-%i.env\n\
         ExecStart={binary} run --cpus ${{HFT_CPUS}} --priority ${{HFT_PRIORITY}} $HFT_VMA -- {applications}/%i $HFT_ARGS\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         {user}\n\
         RuntimeDirectory=vma-app/%i\n\
         StateDirectory=vma-app/%i\n\
         LogsDirectory=vma-app/%i\n\
         WorkingDirectory=/var/lib/vma-app/%i\n\
         \n\
         # What libvma and real-time scheduling need, instead of root.\n\
         AmbientCapabilities=CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK\n\
         CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK\n\
         LimitMEMLOCK=infinity\n\
         LimitRTPRIO=99\n\
         # libvma's tables are as large as this limit.\n\
         LimitNOFILE={OPEN_FILES}\n\
         \n\
         NoNewPrivileges=yes\n\
         ProtectSystem=strict\n\
         ProtectHome=yes\n\
         PrivateTmp=yes\n\
         ProtectHostname=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\n\
         ProtectKernelLogs=yes\n\
         ProtectControlGroups=yes\n\
         RestrictNamespaces=yes\n\
         RestrictSUIDSGID=yes\n\
         LockPersonality=yes\n\
         SystemCallArchitectures=native\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET\n\
         SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap\n\
         SystemCallErrorNumber=EPERM\n\
         ProtectProc=invisible\n\
         UMask=0027\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        binary = escape(&cx.binary.display().to_string()),
    )
}

pub(super) fn desire(cx: &Context<'_>, desired: &mut Desired) {
    let files = [
        ("launcher", LAUNCHER.to_owned(), launcher(cx), 0o755),
        ("application", format!("{UNITS}/{UNIT}"), unit(cx), 0o644),
    ];
    desired.settings.extend(
        files
            .into_iter()
            .map(|(what, path, content, mode)| Setting {
                id: format!("vma/{what}"),
                desired: path.clone(),
                when: When::Now,
                doc: docs::of(what),
                note: None,
                artifacts: vec![Artifact::File {
                    path: path.into(),
                    content,
                    mode,
                }],
            }),
    );
}

pub(super) fn prove(setting: &Setting, reader: &Reader<'_>) -> Proofs {
    let saved = match setting.artifacts.first() {
        Some(Artifact::File { path, content, .. }) => {
            file_proof(reader, &path.display().to_string(), content)
        }
        _ => Proof::Unknown("it is no file".to_owned()),
    };
    Proofs {
        saved,
        live: Proof::None("nothing runs by itself".to_owned()),
        effect: Proof::None("hftune run --check PID proves what it started".to_owned()),
        fix: None,
    }
}
