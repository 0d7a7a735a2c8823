//! The units: one of each tuned port, which sets its values when the device appears, and one that waits for changes and
//! has the others run again.

use hftune_model::finding::Proof;
use hftune_model::host::Nic as Device;
use hftune_model::setting::{Setting, When};

use hftune_sys::Reader;

use super::docs;
use crate::unit::{Run, Service, escape, name_part};
use crate::{Context, irq};

/// The unit that waits.
pub const WATCH: &str = "nic-watch.service";

/// The name of a port's unit.
pub fn unit_name(port: &str) -> String {
    // Only in the name of a template's instance does a dash stand for a slash.
    format!("tune-nic-{}.service", name_part(port, ":_.-"))
}

/// The unit that systemd makes for a port while it is there (systemd.device(5)).
fn device_unit(port: &str) -> String {
    format!(
        "sys-subsystem-net-devices-{}.device",
        name_part(port, ":_.")
    )
}

/// Waits for links that come back and for values that somebody changes.
const WATCHER: Service<'static> = Service {
    name: WATCH,
    description: "Tunes network ports again when a link comes back or somebody changes them",
    order: &["After=network.target"],
    command: "nic watch",
    run: Run::Stays,
    wanted_by: "multi-user.target",
};

/// Calls `with` with the unit of a port.
pub(super) fn with_service<R>(port: &str, with: impl FnOnce(Service<'_>) -> R) -> R {
    let device = device_unit(port);
    let binds = format!("BindsTo={device}");
    // What sets ports of its own accord goes first; After= pulls nothing in.
    let after = format!(
        "After={device} NetworkManager.service systemd-networkd.service networking.service network.service tuned.service"
    );
    let description = format!("Network port {port} as the hftune profile wants it");
    let command = format!("live {}", escape(&format!("nic/{port}")));
    with(Service {
        name: &unit_name(port),
        description: &description,
        // A link may come and go often.
        order: &[&binds, &after, "StartLimitIntervalSec=0"],
        command: &command,
        // Drivers may ask for their interrupts anew, with another affinity.
        run: Run::Once {
            then: Some(irq::SERVICE.name),
        },
        wanted_by: &device,
    })
}

/// The setting that stands for both units.
pub(super) fn setting(device: &Device, cx: &Context<'_>) -> Setting {
    let mut artifacts = with_service(&device.name, |service| service.artifacts(cx));
    artifacts.extend(WATCHER.artifacts(cx));
    Setting {
        id: super::id(&device.name, "service"),
        desired: unit_name(&device.name),
        when: When::Now,
        doc: docs::service(),
        note: None,
        artifacts,
    }
}

/// Whether a port is tuned again after the next boot, and again when it changes meanwhile.
pub(super) fn saved(port: &str, cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    match with_service(port, |service| service.saved(cx, reader)) {
        Proof::Holds(value) => match WATCHER.saved(cx, reader) {
            Proof::Holds(_) => Proof::Holds(value),
            other => other,
        },
        other => other,
    }
}

/// Whether both units run.
pub(super) fn running(port: &str, reader: &Reader<'_>) -> Proof {
    let root = reader.root();
    if !root.is_running() {
        return Proof::None("no systemd runs in a directory tree".to_owned());
    }
    // The links that systemd keeps for units that are active (`unit_export_invocation_id()`, src/core/unit.c).
    let active = |unit: &str| {
        root.link_target(format!("/run/systemd/units/invocation:{unit}"))
            .is_some()
    };
    let unit = unit_name(port);
    let idle: Vec<&str> = [unit.as_str(), WATCH]
        .into_iter()
        .filter(|unit| !active(unit))
        .collect();
    if idle.is_empty() {
        Proof::Holds("active".to_owned())
    } else {
        Proof::Differs(format!("{} not active", idle.join(", ")))
    }
}
