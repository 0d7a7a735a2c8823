use hftune_model::host::{Addresses, Host, Module, Nic, Node, Vma as Facts};
use hftune_model::profile::Profile;
use hftune_model::profile::vma::{Parameters, Value};
use hftune_model::setting::Artifact;
use hftune_model::vma::PortAddress;

use super::*;
use crate::test_tree::with_split;

fn port(name: &str, driver: &str) -> Nic {
    Nic {
        name: name.to_owned(),
        driver: Some(driver.to_owned()),
        pci_id: Some("15b3:1017".to_owned()),
        node: Some(1),
        vma_capable: driver.starts_with("mlx"),
        ..Nic::default()
    }
}

fn address(address: &str) -> Addresses {
    Addresses {
        v4: vec![PortAddress {
            address: address.parse().expect("address"),
            prefix: 24,
        }],
        v6: 0,
    }
}

/// Two nodes of four CPUs, and ports of one driver in a network each.
fn host(driver: &str) -> Host {
    Host {
        nics: vec![port("a0", driver), port("a1", driver)],
        nodes: [(0, "0-3"), (1, "4-7")]
            .map(|(id, cpus)| Node {
                id,
                cpus: cpus.parse().expect("list"),
                ..Node::default()
            })
            .to_vec(),
        vma: Some(Facts {
            addresses: Some(
                [("a0", "192.0.2.2"), ("a1", "198.51.100.2")]
                    .map(|(name, of)| (name.to_owned(), address(of)))
                    .into(),
            ),
            modules: MODULES
                .iter()
                .map(|name| ((*name).to_owned(), Module::Available))
                .collect(),
            ..Facts::default()
        }),
        ..Host::default()
    }
}

fn profile(parameters: &[(&str, &str)]) -> Profile {
    let mut profile = Profile::default();
    profile.vma.ports = ["a0", "a1"]
        .map(|name| name.parse().expect("name"))
        .to_vec();
    profile.vma.parameters = Parameters(
        parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::Text((*value).to_owned())))
            .collect(),
    );
    profile
}

fn desired(host: &Host, profile: &Profile, split: (&str, &str)) -> Desired {
    with_split(host, profile, split, |cx| Vma.desire(cx))
}

fn value(desired: &Desired, name: &str) -> (String, Option<String>) {
    let id = format!("vma/{name}");
    let setting = desired.settings.iter().find(|s| s.id == id).expect(name);
    (setting.desired.clone(), setting.note.clone())
}

#[test]
fn the_helper_thread_is_on_a_housekeeping_cpu_of_the_cards_node() {
    let profile = profile(&[("VMA_INTERNAL_THREAD_AFFINITY", "auto")]);
    let on = |split| {
        value(
            &desired(&host("mlx5_core"), &profile, split),
            "VMA_INTERNAL_THREAD_AFFINITY",
        )
    };
    assert_eq!(on(("0-1,4-5", "2-3,6-7")), ("5".to_owned(), None));
    let (cpu, note) = on(("0-1", "2-7"));
    assert!(cpu == "1" && note.expect("note").contains("no housekeeping CPU"));
}

#[test]
fn a_helper_thread_on_an_isolated_cpu_is_told() {
    let profile = profile(&[("VMA_INTERNAL_THREAD_AFFINITY", "3")]);
    let (_, note) = value(
        &desired(&host("mlx5_core"), &profile, ("0-1", "2-7")),
        "VMA_INTERNAL_THREAD_AFFINITY",
    );
    assert!(note.expect("note").contains("CPU 3 is isolated"));
}

#[test]
fn huge_pages_are_asked_for_where_there_are_some() {
    let mut profile = profile(&[("VMA_MEM_ALLOC_TYPE", "2")]);
    let host = host("mlx5_core");
    let of = |profile: &Profile| {
        value(
            &desired(&host, profile, ("0-1", "2-7")),
            "VMA_MEM_ALLOC_TYPE",
        )
    };
    assert_eq!(of(&profile).0, "0");
    profile.hugepages.count = 1024;
    assert_eq!(of(&profile), ("2".to_owned(), None));
    profile.hugepages.count = 100;
    assert!(of(&profile).1.expect("note").contains("about 352"));
}

#[test]
fn ports_in_one_network_are_a_known_trap() {
    let mut host = host("mlx5_core");
    let facts = host.vma.as_mut().expect("facts");
    let addresses = facts.addresses.as_mut().expect("addresses");
    addresses.insert("a1".to_owned(), address("192.0.2.3"));
    let told = desired(&host, &profile(&[]), ("0-1", "2-7")).warnings;
    assert!(
        told[0].contains("a0 and a1 are both in 192.0.2.0/24"),
        "{told:?}"
    );
}

#[test]
fn only_ipv6_is_refused_with_the_reason() {
    let mut host = host("mlx5_core");
    let facts = host.vma.as_mut().expect("facts");
    let addresses = facts.addresses.as_mut().expect("addresses");
    addresses.insert(
        "a1".to_owned(),
        Addresses {
            v4: Vec::new(),
            v6: 1,
        },
    );
    let refused = unfit(&host.nics[1], Some(addresses)).expect("refused");
    assert!(refused.why.contains("IPv6 addresses only"), "{refused:?}");
}

#[test]
fn a_card_with_another_driver_is_named() {
    let refused = unfit(&port("a0", "vfio-pci"), None).expect("refused");
    assert!(
        refused
            .why
            .contains("a ConnectX-5 that is driven by vfio-pci"),
        "{refused:?}"
    );
}

#[test]
fn the_option_of_mlx4_is_for_mlx4_alone() {
    let of = |driver| -> Vec<String> {
        let desired = desired(&host(driver), &profile(&[]), ("0-1", "2-7"));
        desired.settings.iter().map(|s| s.id.clone()).collect()
    };
    assert!(of("mlx4_en").contains(&"vma/mlx4".to_owned()));
    assert!(!of("mlx5_core").contains(&"vma/mlx4".to_owned()));
}

#[test]
fn modules_are_those_of_the_card() {
    let told = desired(&host("mlx5_core"), &profile(&[]), ("0-1", "2-7"));
    let modules = told
        .settings
        .iter()
        .find(|s| s.id == "vma/modules")
        .expect("modules");
    assert_eq!(modules.desired, "ib_uverbs rdma_ucm mlx5_ib");
    let runs = |a: &Artifact| matches!(a, Artifact::Made { stale: true, program, .. } if program.ends_with("modprobe"));
    assert!(modules.artifacts.iter().any(runs));
    let mut host = host("mlx5_core");
    host.vma
        .as_mut()
        .expect("facts")
        .modules
        .insert("mlx5_ib".to_owned(), Module::Absent);
    let told = desired(&host, &profile(&[]), ("0-1", "2-7"));
    let skipped = told
        .skipped
        .iter()
        .find(|s| s.id == "vma/modules")
        .expect("skipped");
    assert!(skipped.reason.contains("no module mlx5_ib"), "{skipped:?}");
}

#[test]
fn a_host_that_wants_no_libvma_gets_nothing_of_it() {
    let desired = desired(&host("mlx5_core"), &Profile::default(), ("0-1", "2-7"));
    assert_eq!(desired, Desired::default());
}
