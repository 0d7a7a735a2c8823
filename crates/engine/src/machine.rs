//! The data flow in one place: facts, desired settings, proofs, plan.

use std::path::{Path, PathBuf};

use hftune_domains::{ALL, Context, Desired, cpu_split};
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Proof, Verdict};
use hftune_model::host::Host;
use hftune_model::plan::{Change, Plan, Step};
use hftune_model::profile::{Profile, Resolved};
use hftune_model::setting::When;
use hftune_model::transaction::After;
use hftune_model::{Result, transaction::Transaction};
use hftune_sys::{Reader, Root};

use crate::in_force::{Choices, InForce};
use crate::journal;
use crate::plan::{Past, plan};
use crate::target;

/// Where packages and administrators put the binary, in the order in which it is looked for.
const INSTALLED: [&str; 2] = ["/usr/bin/hftune", "/usr/local/bin/hftune"];

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
    /// The options in force.
    pub choices: Choices,
    /// The binary that units call.
    pub binary: PathBuf,
}

impl<'r> Machine<'r> {
    /// Reads the host and resolves the profile. Options that are not given are those of the last setup.
    pub fn read(root: &'r Root, given: Choices) -> Result<Self> {
        let (choices, resolved) = resolve(root, given)?;
        Self::with_profile(root, choices, resolved)
    }

    /// Reads the host for a profile that is resolved already.
    pub fn with_profile(root: &'r Root, choices: Choices, resolved: Resolved) -> Result<Self> {
        let reader = Reader::new(root);
        let host = crate::host::read(&reader);
        let cpus = cpu_split::split(&host, &resolved.profile, choices.force)?;
        let binary = installed_binary(root).unwrap_or_else(|| PathBuf::from(INSTALLED[1]));
        Ok(Self {
            reader,
            host,
            resolved,
            cpus,
            choices,
            binary,
        })
    }

    /// What domains decide from.
    pub fn context(&self) -> Context<'_> {
        context(
            &self.host,
            &self.resolved.profile,
            &self.cpus,
            &self.binary,
            self.choices.force,
        )
    }

    /// What the profile wants of this host.
    pub fn desired(&self) -> Desired {
        desired(&self.context(), |_| true)
    }

    /// The proofs of every setting, in order.
    pub fn prove(&self, desired: &Desired) -> Result<Vec<Finding>> {
        let cx = self.context();
        desired
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
            .collect()
    }

    /// Every setting judged, and what the profile wants but this host does not get.
    pub fn verify(&self) -> Result<Vec<Finding>> {
        let desired = self.desired();
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
        Ok(findings)
    }

    /// What `setup` would do.
    pub fn plan(&self, transactions: &[Transaction]) -> Result<Plan> {
        let desired = self.desired();
        let findings = self.prove(&desired)?;
        let past = Past {
            baseline: journal::baseline(transactions),
            refused: journal::refused(transactions, self.host.kernel.boot_id.as_deref()),
            programs: journal::programs(transactions),
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
            plan.warnings
                .push(format!("{}: {}", finding.id, finding.reason));
        }
        self.remember(&mut plan);
        Ok(plan)
    }

    /// The profile in force is saved with the rest, so that units apply what this setup applied.
    fn remember(&self, plan: &mut Plan) {
        // It is no longer wanted by a setting, but by the plan as a whole.
        let key = format!("file:{}", crate::in_force::PATH);
        plan.steps
            .retain(|step| !matches!(&step.after, After::Restore { target, .. } if *target == key));
        plan.changes.retain(|change| change.id != key);
        let artifact = InForce::new(self.choices.clone(), self.resolved.profile.clone()).artifact();
        if target::in_place(&self.reader, &artifact) {
            return;
        }
        let before = self.reader.root().exists(crate::in_force::PATH);
        let id = "profile/in-force".to_owned();
        plan.changes.push(Change {
            id: id.clone(),
            from: if before { "another" } else { "none" }.to_owned(),
            to: self.resolved.profile.name.clone(),
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
                    After::Set(hftune_model::setting::Artifact::Unit { active: false, .. })
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

/// The options in force and the profile that follows from them. Options that are not given are those of the last setup.
pub fn resolve(root: &Root, given: Choices) -> Result<(Choices, Resolved)> {
    let choices = match InForce::read(root)? {
        Some(last) => Choices {
            profile: given.profile.or(last.choices.profile),
            housekeeping: given.housekeeping.or(last.choices.housekeeping),
            force: given.force || last.choices.force,
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
    let resolved = crate::profile::load(root, choices.profile.as_deref(), &overrides)?;
    Ok((choices, resolved))
}

fn context<'a>(
    host: &'a Host,
    profile: &'a Profile,
    cpus: &'a CpuPlan,
    binary: &'a Path,
    force: bool,
) -> Context<'a> {
    Context {
        host,
        profile,
        cpus,
        binary,
        force,
    }
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

/// The installed binary: the running one where it is installed, else the first that is found.
pub fn installed_binary(root: &Root) -> Option<PathBuf> {
    let running = if root.is_live() {
        hftune_sys::identity::binary()
    } else {
        None
    };
    running
        .filter(|path| {
            INSTALLED
                .iter()
                .any(|installed| path == Path::new(installed))
        })
        .or_else(|| {
            INSTALLED
                .iter()
                .map(PathBuf::from)
                .find(|path| root.exists(path))
        })
}
