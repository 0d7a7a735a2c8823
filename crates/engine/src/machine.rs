//! The data flow in one place: facts, desired settings, proofs, plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hftune_domains::{ALL, Context, Desired, conflicts, cpu_split, drift, nic, vma};
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Proof, Skipped, Verdict};
use hftune_model::host::{Host, Nic};
use hftune_model::names::IfName;
use hftune_model::plan::{Change, Plan, Step};
use hftune_model::profile::{Drift, Origin, Resolved};
use hftune_model::setting::{Artifact, When};
use hftune_model::transaction::After;
use hftune_model::{Kind, Result, transaction::Transaction};
use hftune_sys::{Reader, Root};

use crate::cut_links;
use crate::in_force::{Choices, InForce, Watch};
use crate::installed;
use crate::journal;
use crate::plan::{Past, plan};
use crate::refused_irqs;
use crate::target;

/// Everything that plan and verify decide from, read once.
#[derive(Debug)]
pub struct Machine<'r> {
    /// Where it was read.
    pub reader: Reader<'r>,
    /// The facts.
    pub host: Host,
    /// What the operator wants, with the origin of each value.
    pub resolved: Resolved,
    /// The split of the CPUs.
    pub cpus: CpuPlan,
    /// Why the profile's split of the CPUs is not made, where it is refused.
    pub refused: Option<Skipped>,
    /// The options in force.
    pub choices: Choices,
    /// The binary that units call.
    pub binary: PathBuf,
    /// What the operator should know about where the profile came from.
    pub warnings: Vec<String>,
}

/// The options in force and the profile that follows from them.
#[derive(Debug)]
pub struct Asked {
    /// The options.
    pub choices: Choices,
    /// The profile.
    pub resolved: Resolved,
    /// What could not be read and was replaced.
    pub warnings: Vec<String>,
}

impl<'r> Machine<'r> {
    /// Reads the host and resolves the profile. Options that are not given are those of the last setup.
    pub fn read(root: &'r Root, given: Choices) -> Result<Self> {
        let typed = given.housekeeping.is_some();
        let mut machine = Self::with_profile(root, resolve(root, given)?);
        refused_irqs::mark(root, &mut machine.host, &machine.cpus.housekeeping);
        // A list of the command line that does not fit is a mistake of this moment, and nothing is done.
        if typed && machine.refused.is_some() {
            cpu_split::split(
                &machine.host,
                &machine.resolved.profile,
                machine.choices.force,
            )?;
        }
        Ok(machine)
    }

    /// Reads the host for a profile that is resolved already.
    pub fn with_profile(root: &'r Root, asked: Asked) -> Self {
        let Asked {
            choices,
            resolved,
            mut warnings,
        } = asked;
        warnings.extend(installed::two(root));
        let reader = Reader::new(root);
        let mut host = crate::host::read(&reader);
        read_ports(&reader, &mut host, &resolved, &choices);
        if resolved.profile.vma.is_wanted() {
            host.renamed.extend(renamed(&host.nics, &choices.vma_ports));
            host.vma = Some(crate::host::vma(&reader, &host.kernel.release));
        }
        let (cpus, refused) = match cpu_split::split(&host, &resolved.profile, choices.force) {
            Ok(cpus) => (cpus, None),
            Err(e) => {
                let (cpus, refused) = cpu_split::refused(&host, &e);
                (cpus, Some(refused))
            }
        };
        let binary = installed::binary(root).unwrap_or_else(installed::usual);
        Self {
            reader,
            host,
            resolved,
            cpus,
            refused,
            choices,
            binary,
            warnings,
        }
    }

    /// What domains decide from.
    pub fn context(&self) -> Context<'_> {
        Context {
            host: &self.host,
            profile: &self.resolved.profile,
            cpus: &self.cpus,
            binary: &self.binary,
            force: self.choices.force,
        }
    }

    /// What the profile wants of this host.
    pub fn desired(&self) -> Desired {
        let mut desired = desired(&self.context(), |_| true);
        desired.skipped.splice(0..0, self.refused.clone());
        desired
    }

    /// The proofs of every setting, in order.
    pub fn prove(&self, desired: &Desired) -> Result<Vec<Finding>> {
        let cx = self.context();
        let mut findings = desired
            .settings
            .iter()
            .map(|setting| {
                let domain = ALL
                    .iter()
                    .find(|domain| setting.id.split('/').next() == Some(domain.name()))
                    .expect("every setting comes from a domain of ALL and carries its name");
                Ok(Finding::judge(
                    setting,
                    domain.prove(setting, &cx, &self.reader)?,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        conflicts::judge(&desired.settings, &mut findings, &cx);
        Ok(findings)
    }

    /// What the operator should know of other tools and what is no finding.
    pub fn notes(&self, desired: &Desired) -> Vec<String> {
        conflicts::notes(&desired.settings, &self.context())
    }

    /// Every setting judged, and what the profile wants but this host does not get; and the notes.
    pub fn verify(&self) -> Result<(Vec<Finding>, Vec<String>)> {
        let desired = self.desired();
        let notes = self.notes(&desired);
        let mut findings = self.prove(&desired)?;
        let nothing = |why: &str| Proof::None(why.to_owned());
        findings.extend(desired.skipped.into_iter().map(|skipped| Finding {
            id: skipped.id,
            verdict: skipped.verdict,
            desired: String::new(),
            saved: nothing(&skipped.reason),
            live: nothing(&skipped.reason),
            effect: nothing(&skipped.reason),
            reason: skipped.reason,
            fix: skipped.fix,
        }));
        Ok((findings, notes))
    }

    /// What `setup` would do.
    pub fn plan(&self, transactions: &[Transaction]) -> Result<Plan> {
        let mut plan = self.differences(transactions)?;
        let in_force = InForce::new(self.choices.clone(), self.resolved.profile.clone());
        self.remember(&mut plan, &in_force);
        cut_links::warn(&mut plan, &self.host.nics);
        Ok(plan)
    }

    /// What `nic tune` of these ports would do: of the whole plan what is about them, and about names that they had. Of the
    /// profile in force only what it wants of ports changes.
    pub fn plan_ports(&self, transactions: &[Transaction], ports: &[&str]) -> Result<Plan> {
        let mut plan = self.differences(transactions)?;
        let is_of_ports = |id: &str| of_ports(id, ports);
        let (last, _) = InForce::read_or_warn(self.reader.root())?;
        // A name that the last setup knew and this one does not is that of a device which is tuned under another name now.
        let former: Vec<String> = last
            .iter()
            .flat_map(|last| last.choices.ports.keys())
            .filter(|name| !self.choices.ports.contains_key(name))
            .map(|name| nic::unit_name(name.as_str()))
            .collect();
        let is_former = |target: &str| former.iter().any(|unit| target.ends_with(unit.as_str()));
        keep_part(&mut plan, is_of_ports, is_former);
        plan.warnings.clone_from(&self.warnings);
        plan.warnings.extend(journal::cut_off(transactions));
        let mut profile = last.map_or_else(|| self.resolved.profile.clone(), |last| last.profile);
        profile.nic = self.resolved.profile.nic.clone();
        self.remember(&mut plan, &InForce::new(self.choices.clone(), profile));
        cut_links::warn(&mut plan, &self.host.nics);
        Ok(plan)
    }

    /// What `vma install` and `vma configure` would do: of the whole plan what is about libvma, and the limits of logins, which
    /// it needs. Of the profile in force only that changes.
    pub fn plan_vma(&self, transactions: &[Transaction]) -> Result<Plan> {
        let mut plan = self.differences(transactions)?;
        let (last, _) = InForce::read_or_warn(self.reader.root())?;
        keep_part(&mut plan, of_vma, vma::makes);
        plan.warnings.retain(|warning| of_vma(warning));
        plan.warnings.extend(journal::cut_off(transactions));
        plan.warnings.extend(self.warnings.iter().cloned());
        let mut profile = last.map_or_else(|| self.resolved.profile.clone(), |last| last.profile);
        profile.vma = self.resolved.profile.vma.clone();
        profile.limits = self.resolved.profile.limits.clone();
        self.remember(&mut plan, &InForce::new(self.choices.clone(), profile));
        Ok(plan)
    }

    /// What `drift enable` and `disable` would do: of the whole plan what is about the watch. Of the profile in force only that
    /// changes.
    pub fn plan_drift(&self, transactions: &[Transaction]) -> Result<Plan> {
        let mut plan = self.differences(transactions)?;
        let (last, _) = InForce::read_or_warn(self.reader.root())?;
        keep_part(&mut plan, of_drift, drift::makes);
        plan.warnings.clone_from(&self.warnings);
        plan.warnings.extend(journal::cut_off(transactions));
        let wanted = &self.resolved.profile.drift;
        let before = last.as_ref().map(|last| &last.profile.drift);
        // Disabling what is not there is no transaction.
        if plan.steps.is_empty() && *before.unwrap_or(&Drift::default()) == *wanted {
            return Ok(plan);
        }
        let mut profile = last.map_or_else(|| self.resolved.profile.clone(), |last| last.profile);
        profile.drift = wanted.clone();
        self.remember(&mut plan, &InForce::new(self.choices.clone(), profile));
        Ok(plan)
    }

    /// The whole way from what is there to what is desired.
    fn differences(&self, transactions: &[Transaction]) -> Result<Plan> {
        let desired = self.desired();
        let findings = self.prove(&desired)?;
        let past = Past {
            held: journal::held(transactions),
            refused: journal::refused(transactions, self.host.kernel.boot_id.as_deref()),
            programs: journal::programs(transactions),
            boot_id: self.host.kernel.boot_id.clone(),
        };
        let profile = &self.resolved.profile;
        let mut plan = plan(
            &self.reader,
            &profile.name,
            &self.cpus,
            &desired,
            &findings,
            &past,
        );
        for finding in findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Overridden)
        {
            let fix = finding.fix.as_ref();
            let mend = fix.map_or_else(String::new, |fix| format!("; to resolve it: {fix}"));
            plan.warnings
                .push(format!("{}: {}{mend}", finding.id, finding.reason));
        }
        plan.warnings.extend(journal::cut_off(transactions));
        plan.warnings.extend(cpu_split::warning(&self.host));
        plan.warnings.extend(self.notes(&desired));
        plan.warnings.extend(self.warnings.iter().cloned());
        Ok(plan)
    }

    /// The profile in force is saved with the rest, so that units apply what this setup applied.
    fn remember(&self, plan: &mut Plan, in_force: &InForce) {
        // It is no longer wanted by a setting, but by the plan as a whole.
        let key = format!("file:{}", crate::in_force::PATH);
        plan.steps
            .retain(|step| !matches!(&step.after, After::Restore { target, .. } if *target == key));
        plan.changes.retain(|change| change.id != key);
        let artifact = in_force.artifact();
        if target::in_place(&self.reader, &artifact) {
            return;
        }
        let before = self.reader.root().exists(crate::in_force::PATH);
        let id = "profile/in-force".to_owned();
        plan.changes.push(Change {
            id: id.clone(),
            from: if before { "another" } else { "none" }.to_owned(),
            to: in_force.profile.name.clone(),
            when: When::Now,
            why: "units apply this profile at every boot".to_owned(),
        });
        // First of the files: the units that are started later read it.
        let at = plan
            .steps
            .iter()
            .position(|step| {
                !matches!(
                    &step.after,
                    After::Set(Artifact::Unit { active: false, .. })
                )
            })
            .unwrap_or(plan.steps.len());
        plan.steps.insert(
            at,
            Step {
                ids: vec![id],
                after: After::Set(artifact),
            },
        );
    }
}

/// Keeps of a plan what is about some settings, and what is put back of some targets.
fn keep_part(plan: &mut Plan, is_of: impl Fn(&str) -> bool, is_target: impl Fn(&str) -> bool) {
    plan.changes
        .retain(|change| is_of(&change.id) || is_target(&change.id));
    plan.skipped.retain(|skipped| is_of(&skipped.id));
    plan.steps.retain(|step| match &step.after {
        After::Set(_) => step.ids.iter().any(|id| is_of(id)),
        After::Restore { target, .. } => is_target(target),
    });
}

/// Whether an id is of libvma, or of the limits that it needs.
pub fn of_vma(id: &str) -> bool {
    id.starts_with("vma/") || id == "vma" || id.starts_with("limits/")
}

/// Whether an id is of the watch for drift.
pub fn of_drift(id: &str) -> bool {
    id.starts_with("drift/")
}

/// Whether an id is of one of these ports.
pub fn of_ports(id: &str, ports: &[&str]) -> bool {
    let port = id
        .strip_prefix("nic/")
        .and_then(|rest| rest.split('/').next());
    port.is_some_and(|port| ports.contains(&port))
}

/// Asks the drivers of ports where some are tuned, and finds out which of those have another name now.
fn read_ports(reader: &Reader<'_>, host: &mut Host, resolved: &Resolved, choices: &Choices) {
    let profile = &resolved.profile.nic;
    if profile.ports.is_empty() {
        return;
    }
    host.renamed = renamed(&host.nics, &choices.ports);
    let tuned: Vec<_> = host
        .nics
        .iter()
        .filter(|device| profile.chooses(device))
        .cloned()
        .collect();
    if !tuned.is_empty() {
        host.ports = crate::host::ports(reader.root(), &tuned);
        reader.keep_ports(host.ports.clone());
        host.pause_frames_since = crate::host::watch_pause_frames(reader.root(), &host.ports);
        let nics = host.nics.iter_mut();
        crate::host::watch_drops(reader.root(), nics.filter(|nic| profile.chooses(nic)));
    }
}

/// Names of tuned ports that are gone, with the name that their device has now.
fn renamed(nics: &[Nic], tuned: &BTreeMap<IfName, Option<String>>) -> BTreeMap<String, String> {
    let gone = tuned
        .iter()
        .filter(|(name, _)| nics.iter().all(|nic| nic.name != name.as_str()));
    gone.filter_map(|(name, device)| {
        let device = device.as_ref()?;
        let nic = nics
            .iter()
            .find(|nic| nic.device.as_ref() == Some(device))?;
        Some((name.as_str().to_owned(), nic.name.clone()))
    })
    .collect()
}

/// The options in force and the profile that follows from them. Options that are not given are those of the last setup,
/// but for `--force`, which overrides a guard once and is given anew.
pub fn resolve(root: &Root, given: Choices) -> Result<Asked> {
    let (last, warning) = InForce::read_or_warn(root)?;
    let mut warnings = Vec::from_iter(warning);
    let given_profile = given.profile.is_some();
    let choices = match &last {
        Some(InForce { choices: last, .. }) => Choices {
            profile: given.profile.or_else(|| last.profile.clone()),
            housekeeping: given.housekeeping.or_else(|| last.housekeeping.clone()),
            ports: with_ports(&last.ports, given.ports),
            // "vma configure" names every port that is to be served; one that it does not name is served no longer.
            vma_ports: if given.vma_ports.is_empty() {
                last.vma_ports.clone()
            } else {
                given.vma_ports
            },
            vma_install: given.vma_install || last.vma_install,
            drift: with_watch(last.drift.as_ref(), given.drift),
            force: given.force,
        },
        None => given,
    };
    let mut overrides = Vec::new();
    if let Some(list) = &choices.housekeeping {
        overrides.push((
            "cpus.housekeeping".to_owned(),
            toml::Value::String(list.to_string()),
        ));
    }
    // The file that a captured machine's last setup used is on that machine, not on this one.
    let loaded = if root.is_captured() && !given_profile {
        crate::profile::load_in(root, root, choices.profile.as_deref(), &overrides)
    } else {
        crate::profile::load(root, choices.profile.as_deref(), &overrides)
    };
    let mut resolved = match (loaded, last) {
        // The file of the last setup is in a place that this user cannot read, or is gone: its values are known.
        (Err(e), Some(last))
            if !given_profile
                && choices.profile.is_some()
                && matches!(e.kind, Kind::NeedsRoot | Kind::Missing | Kind::Io) =>
        {
            warnings.push(format!(
                "{e}; the profile is taken as the last setup found it"
            ));
            let mut resolved = last.into_resolved();
            if let Some(list) = &choices.housekeeping {
                resolved.profile.cpus.housekeeping = Some(list.clone());
                resolved
                    .origins
                    .insert("cpus.housekeeping".to_owned(), Origin::CommandLine);
            }
            resolved
        }
        (loaded, _) => loaded?,
    };
    for name in choices.ports.keys() {
        let ports = &mut resolved.profile.nic.ports;
        if ports.iter().all(|known| known.as_str() != name.as_str()) {
            ports.push(name.into());
            resolved
                .origins
                .insert("nic.ports".to_owned(), Origin::CommandLine);
        }
    }
    if !choices.vma_ports.is_empty() {
        resolved.profile.vma.ports = choices.vma_ports.keys().cloned().collect();
        resolved
            .origins
            .insert("vma.ports".to_owned(), Origin::CommandLine);
    }
    if let Some(watch) = &choices.drift {
        let drift = &mut resolved.profile.drift;
        let mut told = |key: &str| {
            resolved
                .origins
                .insert(format!("drift.{key}"), Origin::CommandLine);
        };
        if drift.watch != watch.enabled {
            drift.watch = watch.enabled;
            told("watch");
        }
        if let Some(dir) = &watch.textfile_dir {
            drift.textfile_dir.clone_from(dir);
            told("textfile_dir");
        }
    }
    if choices.vma_install && !resolved.profile.vma.install {
        resolved.profile.vma.install = true;
        resolved
            .origins
            .insert("vma.install".to_owned(), Origin::CommandLine);
    }
    Ok(Asked {
        choices,
        resolved,
        warnings,
    })
}

/// The watch as it is wanted, with the directory of the last time where none is given.
fn with_watch(last: Option<&Watch>, given: Option<Watch>) -> Option<Watch> {
    let last = last.cloned();
    let Some(given) = given else { return last };
    let before = last.and_then(|last| last.textfile_dir);
    Some(Watch {
        textfile_dir: given.textfile_dir.or(before),
        ..given
    })
}

/// The ports that are tuned already, and those that are given; a device that is given under another name leaves the old one.
fn with_ports(
    last: &BTreeMap<IfName, Option<String>>,
    given: BTreeMap<IfName, Option<String>>,
) -> BTreeMap<IfName, Option<String>> {
    let again = |device: &Option<String>| device.is_some() && given.values().any(|d| d == device);
    let mut ports: BTreeMap<_, _> = last
        .iter()
        .filter(|(_, device)| !again(device))
        .map(|(name, device)| (name.clone(), device.clone()))
        .collect();
    ports.extend(given);
    ports
}

/// What the domains of these names want.
pub fn desired(cx: &Context<'_>, wanted: impl Fn(&str) -> bool) -> Desired {
    let mut all = Desired::default();
    for domain in ALL.iter().filter(|domain| wanted(domain.name())) {
        let Desired {
            settings,
            skipped,
            warnings,
        } = domain.desire(cx);
        all.settings.extend(settings);
        all.skipped.extend(skipped);
        all.warnings.extend(warnings);
    }
    all
}
